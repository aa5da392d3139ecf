//! Sends clients from `http` to `https`.
//!
//! | the request | answer |
//! |---|---|
//! | came by `https`, to this host or to a known proxy in front of it | goes on |
//! | is an ACME challenge, or for an exempt path, or exempt for another reason | goes on |
//! | names no host, or something that is none | 400 |
//! | anything else | 308 to the public HTTPS URL |
//!
//! 308 keeps method and body: clients that log in with a POST must not turn it into a GET.

mod future;
mod layer;
mod service;

use std::fmt;
use std::sync::Arc;

use crate::request::RequestView;

pub use future::HttpsRedirectFuture;
pub use layer::HttpsRedirectLayer;
pub use service::HttpsRedirectService;

/// In the extensions of a response: the client was sent to this URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectedToHttps(pub String);

/// In the extensions of a response: the request named no host to be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRedirectable;

/// Where authorities look for HTTP-01 (RFC 8555 § 8.3); they may be sent elsewhere, but then need a
/// certificate that is not there yet.
const ACME_CHALLENGES: &str = "/.well-known/acme-challenge";

const DEFAULT_PORT: u16 = 443;

/// What happens to a request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Redirect(String),
    NoHost,
}

type Exemption = Arc<dyn Fn(&RequestView<'_>) -> bool + Send + Sync>;

/// The rule of the module documentation.
#[derive(Clone)]
struct Policy {
    public_port: u16,
    public_host: Option<String>,
    places: Vec<Place>,
    exempt_paths: Vec<String>,
    exemption: Option<Exemption>,
}

/// Where a host is found by `https`, below a path.
#[derive(Clone, Debug)]
struct Place {
    host: String,
    path: String,
    port: u16,
}

impl Policy {
    fn new(public_port: u16) -> Self {
        Self {
            public_port,
            public_host: None,
            places: Vec::new(),
            exempt_paths: vec![ACME_CHALLENGES.to_owned()],
            exemption: None,
        }
    }

    fn judge(&self, request: &RequestView<'_>) -> Verdict {
        let path = request.uri.path();
        let exempt = request.is_https()
            || self.exempt_paths.iter().any(|exempt| is_below(path, exempt))
            || self.exemption.as_ref().is_some_and(|exemption| exemption(request));
        if exempt {
            return Verdict::Pass;
        }
        let Some(host) = self.public_host.as_deref().or_else(|| request.host()) else {
            return Verdict::NoHost;
        };
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        let target = if target.starts_with('/') { target } else { "/" };
        Verdict::Redirect(match self.port_of(host, path) {
            DEFAULT_PORT => format!("https://{host}{target}"),
            port => format!("https://{host}:{port}{target}"),
        })
    }

    /// The port of the place with this host that is nearest to the path, else of the host's first.
    fn port_of(&self, host: &str, path: &str) -> u16 {
        let of_host = || self.places.iter().filter(|place| place.host.eq_ignore_ascii_case(host));
        let near = of_host().filter(|place| is_below(path, &place.path));
        let nearest = near.max_by_key(|place| place.path.len());
        nearest.or_else(|| of_host().next()).map_or(self.public_port, |place| place.port)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("public_port", &self.public_port)
            .field("public_host", &self.public_host)
            .field("places", &self.places)
            .field("exempt_paths", &self.exempt_paths)
            .finish_non_exhaustive()
    }
}

/// Whole segments: `/health` covers `/health/live` and not `/healthy`.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn judge(policy: &Policy, uri: &str, host: Option<&str>) -> Verdict {
        let mut request = Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        policy.judge(&RequestView::of(&request.body(()).unwrap()))
    }

    #[test]
    fn each_row_of_the_rule() {
        let mut policy = Policy::new(8920);
        policy.exempt_paths.push("/health".to_owned());
        let to = |url: &str| Verdict::Redirect(url.to_owned());
        let rows = [
            (
                "/web/?a=b",
                Some("tv:8096"),
                to("https://tv:8920/web/?a=b"),
                "the port is the public one",
            ),
            ("/", Some("[fe80::1]:8096"), to("https://[fe80::1]:8920/"), "brackets stay"),
            (
                "http://tv/x",
                Some("other"),
                to("https://tv:8920/x"),
                "the URL knows better than Host",
            ),
            ("https://tv/x", Some("tv"), Verdict::Pass, "a proxy ended TLS"),
            ("/health", Some("tv"), Verdict::Pass, "health is exempt"),
            ("/health/live", Some("tv"), Verdict::Pass, "and what is below it"),
            ("/healthy", Some("tv"), to("https://tv:8920/healthy"), "but no other word"),
            ("/.well-known/acme-challenge/x", Some("tv"), Verdict::Pass, "a challenge"),
            ("/", None, Verdict::NoHost, "nowhere to go"),
            ("/", Some("a/b"), Verdict::NoHost, "that is no host"),
            ("*", Some("tv"), to("https://tv:8920/"), "OPTIONS of the server"),
        ];
        for (uri, host, expected, why) in rows {
            assert_eq!(judge(&policy, uri, host), expected, "{why}");
        }
        let place =
            |host: &str, path: &str, port| Place { host: host.into(), path: path.into(), port };
        policy.places = vec![
            place("tv.example", "", 443),
            place("tv.example", "/music", 8443),
            place("[fd00::5]", "/a", 9443),
        ];
        let rows = [
            ("/x", "TV.example:80", "https://TV.example/x", "where the host is published"),
            ("/music/x", "tv.example", "https://tv.example:8443/music/x", "the nearest path"),
            ("/musical", "tv.example", "https://tv.example/musical", "whole segments"),
            ("/x", "[fd00::5]", "https://[fd00::5]:9443/x", "another path of the host"),
            ("/x", "tv", "https://tv:8920/x", "a host that is published nowhere"),
        ];
        for (uri, host, expected, why) in rows {
            assert_eq!(judge(&policy, uri, Some(host)), to(expected), "{why}");
        }
        let standard = Policy::new(443);
        assert_eq!(judge(&standard, "/", Some("tv:80")), to("https://tv/"), "443 is not written");
    }
}
