//! The question that clients broadcast.

/// What clients ask when they look for a server.
///
/// # The rule
///
/// 1. A datagram of more than 128 bytes is no question, and neither is one that starts with `{`:
///    that is an answer, and answering answers would let two servers talk for ever.
/// 2. White space, a byte order mark and NUL bytes around it are removed.
/// 3. It is a question if it then starts with one of the probes, ASCII letter case aside.
///
/// # Examples
///
/// ```
/// use jellynet_discovery::Probes;
///
/// let probes = Probes::default();
/// assert!(probes.matches(b"who is JellyfinServer?"));
/// assert!(probes.matches(b"Who is Jellyfin Server?\r\n"));
/// assert!(!probes.matches(br#"{"Name":"who is JellyfinServer?"}"#));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes {
    probes: Vec<String>,
}

/// The longest question, in bytes.
const LONGEST: usize = 128;

impl Probes {
    /// The questions of Jellyfin's clients, with and without the space.
    pub const JELLYFIN: [&str; 2] = ["who is JellyfinServer?", "who is Jellyfin Server?"];
    /// The question of Emby's clients.
    pub const EMBY: &str = "who is EmbyServer?";

    /// These questions. An empty one would match everything and is left out.
    #[must_use]
    pub fn new<P: Into<String>>(probes: impl IntoIterator<Item = P>) -> Self {
        let probes = probes.into_iter().map(Into::into);
        let probes = probes.filter(|probe: &String| !probe.trim().is_empty());
        Self { probes: probes.map(|probe| probe.trim().to_owned()).collect() }
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, probe: impl Into<String>) -> Self {
        Self::new(self.probes.into_iter().chain([probe.into()]))
    }

    /// Whether `payload` is one of these questions.
    #[must_use]
    pub fn matches(&self, payload: &[u8]) -> bool {
        if payload.len() > LONGEST {
            return false;
        }
        let payload = trimmed(payload);
        self.probes.iter().map(String::as_bytes).any(|probe| {
            payload.get(..probe.len()).is_some_and(|start| start.eq_ignore_ascii_case(probe))
        }) && !payload.starts_with(b"{")
    }
}

impl Default for Probes {
    /// The questions of Jellyfin's clients.
    fn default() -> Self {
        Self::new(Self::JELLYFIN)
    }
}

fn trimmed(payload: &[u8]) -> &[u8] {
    let mut payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    while let [first, rest @ ..] = payload {
        if !is_blank(*first) {
            break;
        }
        payload = rest;
    }
    payload
}

const fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_real_clients_send_is_a_question() {
        let probes = Probes::default();
        for (payload, expected, why) in [
            ("who is JellyfinServer?", true, "Kodi, Android, Swiftfin, webOS"),
            ("Who is JellyfinServer?", true, "Roku, Streamyfin"),
            ("WHO IS JELLYFINSERVER?", true, "letter case does not count"),
            ("Who is Jellyfin Server?", true, "third parties, with a space"),
            ("  \u{feff} who is JellyfinServer?", false, "a mark in the middle"),
            ("\u{feff}who is JellyfinServer?", true, "a byte order mark"),
            ("\0 who is JellyfinServer?\0\r\n", true, "blanks around"),
            ("who is JellyfinServer?|more", true, "something after it"),
            ("who is EmbyServer?", false, "only when configured"),
            ("I wonder who is JellyfinServer?", false, "only a prefix counts"),
            ("who is JellyfinServer", false, "cut short"),
            ("", false, "empty"),
            (r#"{"Name":"who is JellyfinServer?"}"#, false, "an answer"),
        ] {
            assert_eq!(probes.matches(payload.as_bytes()), expected, "{why}");
        }
        assert!(Probes::default().with(Probes::EMBY).matches(b"who is EmbyServer?"));
    }

    #[test]
    fn a_long_question_is_none() {
        let mut payload = b"who is JellyfinServer?".to_vec();
        payload.resize(128, b' ');
        assert!(Probes::default().matches(&payload));
        payload.push(b' ');
        assert!(!Probes::default().matches(&payload));
    }

    #[test]
    fn an_empty_probe_matches_nothing() {
        assert!(!Probes::new(["", " "]).matches(b"anything"));
        assert!(!Probes::new(["{"]).matches(b"{\"Id\":1}"));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..256)) {
            let short = payload.len() <= LONGEST;
            prop_assert!(!Probes::default().matches(&payload) || short);
        }
    }
}
