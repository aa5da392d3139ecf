//! Which version of HTTP the first bytes speak.

/// RFC 9113 § 3.4.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Http1,
    Http2,
    /// The bytes are the begin of the preface.
    Undecided,
}

pub(super) fn sniff(bytes: &[u8]) -> Verdict {
    let known = bytes.len().min(PREFACE.len());
    if bytes.get(..known) != PREFACE.get(..known) {
        Verdict::Http1
    } else if known == PREFACE.len() {
        Verdict::Http2
    } else {
        Verdict::Undecided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        for (bytes, verdict) in [
            (&b""[..], Verdict::Undecided),
            (b"P", Verdict::Undecided),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", Verdict::Undecided),
            (PREFACE, Verdict::Http2),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04", Verdict::Http2),
            (b"PUT / HTTP/1.1", Verdict::Http1),
            (b"PRI * HTTP/1.1\r\n", Verdict::Http1),
            (b"GET / HTTP/1.1", Verdict::Http1),
            (b"\x16\x03\x01", Verdict::Http1),
        ] {
            assert_eq!(sniff(bytes), verdict, "{bytes:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_verdict_never_changes_with_more_bytes(
            at in 0_usize..=24, more in proptest::collection::vec(proptest::num::u8::ANY, 0..30),
        ) {
            let mut bytes = PREFACE[..at].to_vec();
            bytes.extend(&more);
            let last = sniff(&bytes);
            for n in 0..bytes.len() {
                let early = sniff(&bytes[..n]);
                proptest::prop_assert!(early == Verdict::Undecided || early == last);
            }
        }
    }
}
