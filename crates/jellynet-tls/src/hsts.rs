//! Tells browsers to use nothing but `https` from now on (RFC 6797).
//!
//! The header is sent only when all of these hold; none of them can be taken back for the time
//! that was promised:
//!
//! 1. The administrator chose it, by adding the layer.
//! 2. The client used `https` (RFC 6797 § 7.2).
//! 3. It used a public name: never an address (RFC 6797 § 8.1.1), never `nas` or `tv.local`.
//! 4. The certificate for that name is trustworthy, as the closure says. A browser that was
//!    promised HTTPS offers no way around a warning.
//! 5. The response does not carry the header already.

mod future;
mod layer;
mod service;

use std::time::Duration;

use crate::host;
use crate::request::RequestView;

pub use future::HstsFuture;
pub use layer::HstsLayer;
pub use service::HstsService;

/// What browsers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hsts {
    /// How long. Default: 180 days, which is what testers of TLS want to see at least.
    pub max_age: Duration,
    /// For names below this one, too. Default: no; other services of the house may not have HTTPS.
    pub include_subdomains: bool,
    /// Consent to be built into browsers. Default: no; that takes months to undo.
    pub preload: bool,
}

impl Default for Hsts {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(180 * 86_400),
            include_subdomains: false,
            preload: false,
        }
    }
}

impl Hsts {
    fn header(&self) -> String {
        let mut text = format!("max-age={}", self.max_age.as_secs());
        if self.include_subdomains {
            text.push_str("; includeSubDomains");
        }
        if self.preload {
            text.push_str("; preload");
        }
        text
    }
}

/// Conditions 2 to 4.
fn applies(request: &RequestView<'_>, is_trustworthy: impl Fn(&str) -> bool) -> bool {
    request.is_https()
        && request.host().is_some_and(|host| !host::is_private_name(host) && is_trustworthy(host))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn each_condition_counts() {
        let rows = [
            ("https://tv.example.org/", true, true, "all hold"),
            ("http://tv.example.org/", true, false, "not over http"),
            ("https://tv.example.org/", false, false, "not with a certificate of our own"),
            ("https://192.0.2.1/", true, false, "not for an address"),
            ("https://[2001:db8::1]/", true, false, "not for an address"),
            ("https://nas/", true, false, "not for a name of this network"),
            ("https://nas.local./", true, false, "not for a name of this network"),
            ("/", true, false, "not without a host"),
        ];
        for (uri, trusted, expected, why) in rows {
            let request = Request::builder().uri(uri).body(()).unwrap();
            assert_eq!(applies(&RequestView::of(&request), |_| trusted), expected, "{uri}: {why}");
        }
    }

    #[test]
    fn the_header_says_what_was_chosen() {
        assert_eq!(Hsts::default().header(), "max-age=15552000");
        let all = Hsts { include_subdomains: true, preload: true, ..Hsts::default() };
        assert_eq!(all.header(), "max-age=15552000; includeSubDomains; preload");
    }
}
