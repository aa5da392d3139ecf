//! What a request is called, from its first line of a log to its last.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use crate::addr::{ClientAddr, Provenance};

/// The name of a request: in the access log, in an answer that says that something failed, and in
/// the log beside the cause.
///
/// Travels as an extension of the request, where somebody keeps a log. Cheap to clone.
///
/// # Examples
///
/// ```
/// use jellynet_netif::RequestId;
///
/// assert_ne!(RequestId::unique(), RequestId::unique());
/// assert_eq!(RequestId::unique().as_str().len(), 16);
/// assert_eq!(RequestId::parse(b"7f3a-01").unwrap().as_str(), "7f3a-01");
/// assert_eq!(RequestId::parse(b"a b"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The most bytes of an id that a proxy gives.
    pub const LONGEST: usize = 64;

    /// An id that no other request of this process has, and that tells nothing: 16 hexadecimal
    /// digits.
    #[must_use]
    pub fn unique() -> Self {
        static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("request"));
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // An odd multiplier makes this a permutation: no number comes twice.
        let id = START.wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(format!("{id:016x}").into())
    }

    /// An id that somebody else gave: 1 to [`LONGEST`](Self::LONGEST) letters, digits and
    /// `- _ . : / + = @`, and nothing that a log or an answer would have to escape.
    #[must_use]
    pub fn parse(given: &[u8]) -> Option<Self> {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
        let good = (1..=Self::LONGEST).contains(&given.len()) && given.iter().all(fits);
        let text = std::str::from_utf8(given).ok().filter(|_| good)?;
        Some(Self(text.into()))
    }

    /// What a request is called whose `X-Request-Id` is `given`: that where it comes through a
    /// known proxy and can be read, else something unique.
    ///
    /// # Security
    ///
    /// What a client writes itself counts for nothing: it could name a request of somebody else.
    #[must_use]
    pub fn of(client: Option<&ClientAddr>, given: Option<&[u8]>) -> Self {
        let by_proxy = client.is_some_and(|client| {
            matches!(client.provenance, Provenance::Forwarded { .. } | Provenance::ProxyOnly { .. })
        });
        given.filter(|_| by_proxy).and_then(Self::parse).unwrap_or_else(Self::unique)
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_proxy_gives_ids_and_only_plain_ones() {
        let mut client = ClientAddr::direct("192.0.2.1:9".parse().unwrap());
        let given = |client: &ClientAddr, id: &str| {
            RequestId::of(Some(client), Some(id.as_bytes())).as_str() == id
        };
        assert!(!given(&client, "a1"), "a client that connects itself");
        assert_ne!(RequestId::of(None, Some(b"a1")).as_str(), "a1");
        client.provenance = Provenance::Forwarded { hops: 1 };
        assert!(given(&client, "a1"));
        assert!(given(&client, "f47ac10b-58cc-4372-a567-0e02b2c3d479"), "a UUID");
        assert!(given(&client, &"x".repeat(64)));
        for bad in ["", "a b", "a\"b", "a\nb", "é", &"x".repeat(65)] {
            assert!(!given(&client, bad), "{bad:?}");
        }
        assert_eq!(RequestId::of(Some(&client), None).as_str().len(), 16);
    }

    #[test]
    fn none_comes_twice() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| RequestId::unique()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
