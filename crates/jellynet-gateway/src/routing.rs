//! Which site is meant by a request: one pure function, which allocates nothing.
//!
//! | what is asked for | who answers |
//! | --- | --- |
//! | a path under the base path of a site, or under an earlier one | of the sites whose hosts fit: the one with the most exact host (a name before `*.`, that before any host), then with the longer base path, then the one that is there now |
//! | a path that needs no base path (`/System/Info/Public`, `/health`, HDHomeRun, DLNA, `base_url.in_place`) | the most exact host; then the site at the root; then the first in the configuration |
//! | any other path, where the hosts of one site fit | that site: it redirects browsers to its base path, and has nothing for others |
//! | any other path, where several fit | a browser at `/` gets a list of them; else 404 |
//! | a host that no site has | 421 (RFC 9110 § 15.5.20); `/health` is answered here |
//!
//! `X-Forwarded-Prefix` counts as the path that a proxy has cut off, where it names a base path.

use http::{HeaderMap, HeaderName, Uri, header};
use jellynet_base_url::{DefaultPath, Router};
use jellynet_upstream::{RouteMatch, Routes};

use crate::config::{BaseUrl, Site};

static X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The host, with or without a port, after known proxies.
    pub(crate) host: Option<&'a str>,
    /// The raw path and query.
    pub(crate) target: &'a str,
    /// `X-Forwarded-Prefix`.
    pub(crate) prefix: Option<&'a str>,
}

impl<'a> Asked<'a> {
    pub(crate) const fn of(host: Option<&'a str>, target: &'a str) -> Self {
        Self { host, target, prefix: None }
    }

    /// What a request asks for, after known proxies.
    pub(crate) fn of_request(uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        let prefix = headers.get(&X_FORWARDED_PREFIX);
        Self {
            host: asked_host(uri, headers),
            target: uri.path_and_query().map_or("*", |target| target.as_str()),
            prefix: prefix.and_then(|prefix| prefix.to_str().ok()),
        }
    }
}

/// The host that a request asks for, after known proxies.
pub(crate) fn asked_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}

/// Who is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// This site, by its index.
    Site(usize),
    /// None of several sites whose hosts fit.
    NoPath,
    /// No site has this host.
    NoHost,
}

/// The sites' places.
#[derive(Clone, Debug)]
pub(crate) struct Routing {
    /// Each host of each site; one entry for a site of any host.
    routes: Routes<usize>,
    routers: Vec<Router>,
    /// Whether there is one site, for any host: nothing is to be chosen.
    single: bool,
}

impl Routing {
    /// `default_path` is the first page where none is configured.
    pub(crate) fn new(sites: &[Site], base: &BaseUrl, default_path: &DefaultPath) -> Self {
        let entries = sites.iter().enumerate().flat_map(|(index, site)| {
            let hosts = site.hosts.iter().map(move |host| RouteMatch::any().with_host(host));
            let any = site.hosts.is_empty().then(RouteMatch::any);
            hosts.chain(any).map(move |wanted| (wanted, index))
        });
        Self {
            routes: Routes::new(entries),
            routers: sites.iter().map(|site| base.router(site, default_path.clone())).collect(),
            single: matches!(sites, [one] if one.hosts.is_empty()),
        }
    }

    /// The routers, in the order of the sites.
    pub(crate) fn routers(&self) -> &[Router] {
        &self.routers
    }

    /// Whether every request is the only site's.
    pub(crate) const fn is_single(&self) -> bool {
        self.single
    }

    /// The table of this module.
    pub(crate) fn choose(&self, asked: &Asked<'_>) -> Chosen {
        if self.single {
            return Chosen::Site(0);
        }
        let claim = |site: &usize| self.routers.get(*site)?.claim(asked.target, asked.prefix);
        if let Some(site) = self.routes.choose_by(asked.host, claim) {
            return Chosen::Site(*site);
        }
        let mut of_host = self.of_host(asked.host);
        match (of_host.next(), of_host.next()) {
            (None, _) => Chosen::NoHost,
            (Some(only), None) => Chosen::Site(only),
            (Some(_), Some(_)) => Chosen::NoPath,
        }
    }

    /// The sites whose hosts fit, each once.
    pub(crate) fn of_host<'r>(&'r self, host: Option<&'r str>) -> impl Iterator<Item = usize> + 'r {
        let mut last = None;
        // Those of one site stand together.
        let once = move |site: &usize| last.replace(*site) != Some(*site);
        self.routes.of_host(host).copied().filter(once)
    }
}

#[cfg(test)]
mod tests {
    use jellynet_settings::Settings;

    use super::*;
    use crate::config::{Config, KEYS};

    fn routing(toml: &str) -> Routing {
        let mut settings = Settings::new(KEYS);
        settings.add_toml(toml, "test.toml".as_ref());
        let config = Config::from_settings(settings).unwrap();
        Routing::new(&config.sites, &config.base_url, &DefaultPath::default())
    }

    fn check(routing: &Routing, rows: &[(Option<&str>, &str, Chosen, &str)]) {
        for (host, target, expected, why) in rows {
            let asked = Asked::of(*host, target);
            let mut chosen = Chosen::NoHost;
            let counted = allocation_counter::measure(|| chosen = routing.choose(&asked));
            assert_eq!(chosen, *expected, "{host:?} {target}: {why}");
            assert_eq!(counted.count_total, 0, "{host:?} {target} allocates");
        }
    }

    const FILMS: Chosen = Chosen::Site(0);
    const MUSIC: Chosen = Chosen::Site(1);
    const BOOKS: Chosen = Chosen::Site(2);

    #[test]
    fn base_paths_part_the_sites_of_one_host() {
        let routing = routing(
            "[base_url]\nin_place = ['/extra/']\n\
             [[upstream]]\nurl = 'http://a'\nbase_url = '/films'\nprevious = ['/', '/old']\n\
             [[upstream]]\nurl = 'http://b'\nbase_url = '/films/music'\n\
             [[upstream]]\nurl = 'http://c'\nbase_url = '/books'\n",
        );
        check(
            &routing,
            &[
                (Some("x"), "/films/web/", FILMS, "its base path"),
                (None, "/FILMS", FILMS, "without a host, in any letter case"),
                (Some("x"), "/films/music/x?y", MUSIC, "the longer base path"),
                (Some("x"), "/books/x", BOOKS, "longer than where the first was before"),
                (Some("x"), "/old/x", FILMS, "where it was before"),
                (Some("x"), "/x", FILMS, "where it was before: the root"),
                (Some("x"), "/System/Info/Public", FILMS, "in place"),
                (Some("x"), "/extra/x", FILMS, "in place, as configured"),
                (Some("x"), "*", FILMS, "OPTIONS * asks no path"),
            ],
        );
        let cut_off = Asked { prefix: Some("/books"), ..Asked::of(Some("x"), "/web/") };
        assert_eq!(routing.choose(&cut_off), BOOKS, "a proxy cut the base path off");
    }

    #[test]
    fn where_nobody_is_at_the_root_nobody_is_guessed() {
        let routing = routing(
            "[[upstream]]\nurl = 'http://a'\nbase_url = '/films'\n\
             [[upstream]]\nurl = 'http://b'\nbase_url = '/music'\n",
        );
        check(
            &routing,
            &[
                (Some("x"), "/", Chosen::NoPath, "the list"),
                (Some("x"), "/filmsx", Chosen::NoPath, "a near miss"),
                (Some("x"), "/films/../../music", Chosen::NoPath, "a path that climbs out"),
                (Some("x"), "/health", FILMS, "in place: the first"),
            ],
        );
    }

    #[test]
    fn hosts_part_the_sites_before_paths_do() {
        let routing = routing(
            "[[upstream]]\nurl = 'http://a'\nhosts = ['films.lan', 'FILMS.example.']\n\
             [[upstream]]\nurl = 'http://b'\nhosts = ['*.lan', '[fd00::5]']\nbase_url = '/m'\n",
        );
        check(
            &routing,
            &[
                (Some("films.lan:8096"), "/m/x", FILMS, "the exact host goes before the path"),
                (Some("films.example"), "/", FILMS, "another of its hosts"),
                (Some("music.lan"), "/m/x", MUSIC, "below the star"),
                (Some("music.lan"), "/", MUSIC, "it redirects to its base path"),
                (Some("[FD00::5]:80"), "/m", MUSIC, "an address"),
                (Some("192.0.2.1"), "/", Chosen::NoHost, "nobody's"),
                (Some("lan"), "/m", Chosen::NoHost, "the star stands for something"),
                (None, "/", Chosen::NoHost, "HTTP/1.0 names no host"),
            ],
        );
    }

    #[test]
    fn a_site_of_any_host_takes_what_others_leave() {
        let routing = routing(
            "[[upstream]]\nurl = 'http://a'\n\
             [[upstream]]\nurl = 'http://b'\nbase_url = '/music'\n\
             [[upstream]]\nurl = 'http://c'\nhosts = ['books.lan']\nbase_url = '/books'\n",
        );
        check(
            &routing,
            &[
                (Some("x"), "/x", FILMS, "the root"),
                (Some("x"), "/music/x", MUSIC, "the longer base path"),
                (Some("x"), "/health", FILMS, "in place: the site at the root"),
                (Some("books.lan"), "/health", BOOKS, "in place: the more exact host"),
                (Some("books.lan"), "/books/", BOOKS, "its place"),
                (Some("books.lan"), "/music/", MUSIC, "a place of any host"),
                (Some("books.lan"), "/x", FILMS, "the same"),
                (Some("x"), "/books/", FILMS, "a place of another host"),
            ],
        );
    }
}
