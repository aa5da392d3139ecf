//! What to do about an authority's answer (RFC 8555 § 6.7).

/// The problem types by their last part, with what to do; the first that an error names counts.
const BY_TYPE: &[(&str, &str)] = &[
    (":rateLimited", "wait, and try the directory letsencrypt-staging before the next change"),
    (":rejectedIdentifier", "the authority issues for no such name: correct acme.domains"),
    (":unsupportedIdentifier", "the authority issues for no such name: correct acme.domains"),
    (":externalAccountRequired", "set acme.eab_key_id and acme.eab_key_file as it gives them out"),
    (":invalidContact", "correct acme.contact"),
    (":unsupportedContact", "correct acme.contact"),
    (":userActionRequired", "agree to the new terms of service at the address that it names"),
    (":caa", "a CAA record of the domain names another authority: add this one's"),
    (":dns", "the name must lead to this server in the public DNS: look at its A and AAAA records"),
    (":invalidProfile", "correct acme.profile, or leave it out"),
    (":accountDoesNotExist", "remove account.json below acme/ in server.data_dir"),
];

/// What to do, where that is known.
pub(super) fn for_error(error: &str, challenge: &str) -> &'static str {
    if let Some((_, advice)) = BY_TYPE.iter().find(|(kind, _)| error.contains(kind)) {
        return advice;
    }
    let unproved = [":connection", ":unauthorized", ":tls", ":incorrectResponse"];
    if unproved.iter().any(|kind| error.contains(kind)) {
        return match challenge {
            "http-01" => {
                "port 80 of the name must lead to a listener of this server (http.listen) from the \
                 internet: look at port forwarding, firewall and AAAA records"
            }
            "tls-alpn-01" => {
                "port 443 of the name must lead to https.listen from the internet, with no proxy \
                 that ends TLS in between: look at port forwarding, firewall and AAAA records"
            }
            _ => {
                "the TXT record must be seen by everyone: look at acme.dns_hook, or raise acme.dns_wait"
            }
        };
    }
    if error.contains("the name server ") {
        return "look at acme.dns_server and acme.dns_key_file, and at the log of the name server";
    }
    if error.contains("cannot set the TXT record") {
        return "run acme.dns_hook by hand: PROGRAM add NAME VALUE";
    }
    if error.contains("does not offer the profile") {
        return "correct acme.profile, or leave it out";
    }
    if error.contains("cannot use ") {
        return "make room, or set server.data_dir to a directory that can be written";
    }
    if error.contains("does not offer") {
        return "choose another acme.challenge";
    }
    "look whether this server reaches acme.directory, and whether its clock is right"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_fits_the_problem_and_the_challenge() {
        let urn = |kind: &str| format!("API error: no (urn:ietf:params:acme:error:{kind})");
        for (kind, challenge, word) in [
            ("rateLimited", "http-01", "staging"),
            ("connection", "http-01", "port 80"),
            ("connection", "tls-alpn-01", "port 443"),
            ("unauthorized", "dns-01", "dns_wait"),
            ("externalAccountRequired", "http-01", "eab_key_id"),
            ("dns", "http-01", "AAAA"),
        ] {
            let advice = for_error(&urn(kind), challenge);
            assert!(advice.contains(word), "{kind} {challenge}: {advice}");
        }
        let full = for_error("cannot use /d/state.json: No space left on device", "http-01");
        assert!(full.contains("make room"), "{full}");
        assert!(for_error("connection refused", "http-01").contains("acme.directory"));
        let update = "cannot set the TXT record a: the name server ns:53 does not know the key k";
        assert!(for_error(update, "dns-01").contains("dns_key_file"));
        let profile =
            "the authority does not offer the profile x: write one of y, or leave it away";
        assert!(for_error(profile, "dns-01").contains("acme.profile"));
    }
}
