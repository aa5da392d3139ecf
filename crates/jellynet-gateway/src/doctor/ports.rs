//! Who holds the ports that the server needs?

use jellynet_bind::{Holder, Kinship, Listen, Transport, holders};

use super::{Finding, Patient};

const TEST: &str = "ports";

pub(super) async fn test(patient: Patient) -> Vec<Finding> {
    let config = patient.config.clone();
    let mut wanted: Vec<(Transport, u16, &'static str)> = Vec::new();
    let listeners = [("http.listen", &config.http.listen), ("https.listen", &config.https.listen)];
    for (key, listen) in listeners {
        for port in listen.iter().filter_map(Listen::port).filter(|port| *port != 0) {
            if !wanted.iter().any(|(_, known, _)| *known == port) {
                wanted.push((Transport::Tcp, port, key));
            }
        }
    }
    if config.discovery.enabled {
        wanted.push((Transport::Udp, 7359, "discovery.enabled"));
    }
    if config.ssdp {
        wanted.push((Transport::Udp, 1900, "ssdp.enabled"));
    }
    let runs = patient.running.answers();
    let look = move || {
        let all = wanted.into_iter();
        all.map(|(transport, port, key)| {
            let found = holders(transport, port);
            match transport {
                Transport::Tcp => listener(port, key, &found, runs),
                _ => datagrams(port, key, &found, runs),
            }
        })
        .collect()
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

fn is_ours(holder: &Holder) -> bool {
    holder.process.as_ref().is_some_and(|process| process.kin == Kinship::SameProgram)
}

fn names<'a>(holders: impl Iterator<Item = &'a Holder>) -> String {
    holders.map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn listener(port: u16, key: &str, found: &[Holder], runs: bool) -> Finding {
    let all = names(found.iter());
    if found.iter().any(is_ours) {
        return Finding::good(TEST, format!("{port}/tcp is held by {all}"));
    }
    match found.first() {
        None if runs => Finding::note(
            TEST,
            format!("{port}/tcp is held by nobody, and yet a server answers"),
            format!("does it run with this very configuration ({key})?"),
        ),
        None => Finding::good(TEST, format!("{port}/tcp is free")),
        // Its process is hidden from this user.
        Some(holder) if holder.process.is_none() && runs => {
            Finding::good(TEST, format!("{port}/tcp is held by {all}"))
        }
        Some(_) => Finding::problem(
            TEST,
            format!("{port}/tcp is held by {all}"),
            format!("stop it, or listen elsewhere ({key})"),
        ),
    }
}

fn datagrams(port: u16, key: &str, found: &[Holder], runs: bool) -> Finding {
    let ours = found.iter().any(is_ours);
    let others: Vec<_> = found.iter().filter(|holder| !is_ours(holder)).collect();
    let all = names(others.iter().copied());
    match (ours, others.is_empty()) {
        (true, true) => Finding::good(TEST, format!("{port}/udp is the server's alone")),
        (true, false) => Finding::note(
            TEST,
            format!("{port}/udp is shared with {all}"),
            "what is sent to all reaches both; what is sent to this host alone reaches one of them",
        ),
        (false, true) if runs => Finding::problem(
            TEST,
            format!("{port}/udp is held by nobody"),
            format!("does the server run with this configuration ({key})? see its log"),
        ),
        (false, true) => Finding::good(TEST, format!("{port}/udp is free")),
        (false, false) if runs && others.iter().all(|holder| holder.process.is_some()) => {
            Finding::problem(
                TEST,
                format!("{port}/udp is held by {all}, and not by the server"),
                format!("stop the other program, or switch this off ({key} = false)"),
            )
        }
        (false, false) => Finding::note(
            TEST,
            format!("{port}/udp is held by {all}"),
            "nothing, if that is the server; otherwise clients may find the other program instead",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    /// A holder is made by the kernel alone: this process stands for a stranger's.
    fn somebody() -> (std::net::TcpListener, Vec<Holder>) {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = holders(Transport::Tcp, socket.local_addr().unwrap().port());
        (socket, found)
    }

    #[test]
    fn a_port_in_other_hands_is_a_problem_with_a_name() {
        let (_socket, found) = somebody();
        let finding = listener(8096, "http.listen", &found, false);
        assert_eq!(finding.verdict, Verdict::Problem);
        assert!(finding.what.contains("8096/tcp is held by "), "{finding}");
        let shared = datagrams(7359, "discovery.enabled", &found, true);
        assert_eq!(shared.verdict, Verdict::Problem);
        assert_eq!(listener(8096, "http.listen", &[], false).verdict, Verdict::Good);
        assert_eq!(datagrams(7359, "discovery.enabled", &[], true).verdict, Verdict::Problem);
    }
}
