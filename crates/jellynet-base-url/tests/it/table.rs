//! Each row of the rule, beside what Jellyfin answers.

use jellynet_base_url::RequestClass::{Navigation, Other};
use jellynet_base_url::{BasePath, DefaultPath, InPlacePath, RequestClass, Route, Router};

pub(crate) fn base(text: &str) -> BasePath {
    text.parse().unwrap()
}

fn router(text: &str) -> Router {
    Router::new(base(text))
}

/// `→ inner`, `302 location` or `404`.
fn shown(route: &Route<'_>) -> String {
    match route {
        Route::Pass { inner } => format!("→ {inner}"),
        Route::Redirect { status, location } => format!("{status} {location}"),
        Route::NotFound => "404".to_owned(),
    }
}

fn check(router: &Router, rows: &[(RequestClass, &str, &str, &str)]) {
    for (class, target, expected, why) in rows {
        let route = router.route(*class, target);
        assert_eq!(shown(&route), *expected, "{class:?} {target}: {why}");
    }
}

#[test]
fn one_segment_as_jellyfin_or_better() {
    check(
        &router("/jellyfin"),
        &[
            (Navigation, "/", "302 jellyfin/web/", "Jellyfin: the same"),
            (Navigation, "", "302 jellyfin/web/", "Jellyfin: the same"),
            (Navigation, "/?a=b", "302 jellyfin/web/?a=b", "Jellyfin: query lost"),
            (Navigation, "/jellyfin", "302 jellyfin/web/", "Jellyfin: the same"),
            (Navigation, "/jellyfin/", "302 web/", "Jellyfin: the same"),
            (Navigation, "/JELLYFIN/", "302 web/", "Jellyfin: `../jellyfin/web/`"),
            (Navigation, "/jellyfin/x", "→ /x", "Jellyfin: the same"),
            (Navigation, "/JELLYFIN/x?Y=%2f", "→ /x?Y=%2f", "raw, query and all"),
            (Navigation, "/jellyfin/a%2Fb//c%20d", "→ /a%2Fb//c%20d", "raw, nothing decoded twice"),
            (
                Navigation,
                "/jelly%66in/x",
                "→ /x",
                "an escape of an unreserved letter is the letter",
            ),
            (Navigation, "/jellyfinx", "404", "Jellyfin: the same, by accident"),
            (Navigation, "/jellyfin%2Fx", "404", "an encoded slash ends no segment"),
            (Navigation, "/other/path?q", "302 ../jellyfin/web/?q", "Jellyfin: query lost"),
            (Navigation, "//evil.com", "302 ../jellyfin/web/", "Jellyfin: the same"),
            (Navigation, "/jellyfin//evil.com", "→ //evil.com", "a path, no host"),
            (Navigation, "/%2e%2e/", "404", "Jellyfin: 302 `jellyfin/web/`, a loop for some"),
            (Navigation, "/jellyfin/../x", "404", "climbs out: not under the base"),
            (Navigation, "/jellyfin/%2E%2e%2Fx", "404", "however it is written"),
            (Navigation, "/jellyfin/..\\x", "404", "however it is written"),
            (Navigation, "/jellyfin//../x", "404", "some servers merge slashes first"),
            (Navigation, "/other/./x", "404", "no browser asks for it"),
            (
                Navigation,
                "/jellyfin/a/../x..y/...",
                "→ /a/../x..y/...",
                "stays under the base: raw",
            ),
            (Other, "/jellyfin/../x", "404", "climbs out"),
            (Other, "/Users/AuthenticateByName", "404", "Jellyfin: 302, body lost"),
            (Other, "/socket", "404", "Jellyfin: 302, upgrade lost"),
            (Other, "/", "404", "Jellyfin: 302, body lost"),
            (Other, "/jellyfin", "→ /", "Jellyfin: 302, body lost"),
            (Other, "/jellyfin/", "→ /", "Jellyfin: 302, body lost"),
            (Other, "/jellyfin?a=b", "→ /?a=b", "the query needs a path"),
            (Other, "/jellyfin/Users?a=b", "→ /Users?a=b", "below the base"),
            (Other, "*", "→ *", "OPTIONS * asks the server"),
            (Navigation, "jellyfin/x", "404", "no origin form"),
        ],
    );
}

#[test]
fn two_segments_as_jellyfin() {
    check(
        &router("/a/b"),
        &[
            (Navigation, "/a", "302 a/b/web/", "Jellyfin: the same"),
            (Navigation, "/a/", "302 b/web/", "Jellyfin: the same"),
            (Navigation, "/a/b", "302 b/web/", "Jellyfin: the same"),
            (Navigation, "/a/b/", "302 web/", "Jellyfin: the same"),
            (Navigation, "/a/bc", "404", "Jellyfin: the same"),
            (Navigation, "/a%2Fb/x", "302 ../a/b/web/", "an encoded slash separates nothing"),
        ],
    );
}

#[test]
fn no_prefix_at_all() {
    check(
        &router(""),
        &[
            (Navigation, "/", "302 web/", "Jellyfin: the same"),
            (Navigation, "/?a", "302 web/?a", "Jellyfin: query lost"),
            (Navigation, "/health", "→ /health", "everything else passes"),
            (Navigation, "/x/../../y", "→ /x/../../y", "above the root there is nothing"),
            (Navigation, "/%2e%2e%2fx", "→ /%2e%2e%2fx", "raw: what it means is not ours to say"),
            (Other, "/..", "→ /..", "the same"),
            (Other, "/", "→ /", "never redirected"),
            (Other, "/Users", "→ /Users", "everything else passes"),
        ],
    );
}

#[test]
fn prefixes_on_which_jellyfin_loops() {
    check(
        &router("/my tv"),
        &[
            (Navigation, "/", "302 my%20tv/web/", "Jellyfin: endless 302 to itself"),
            (Navigation, "/MY%20TV/x", "→ /x", "Jellyfin: never reached"),
        ],
    );
    check(
        &router("/\u{fc}"),
        &[
            (Navigation, "/", "302 %C3%BC/web/", "Jellyfin: endless 302 to itself"),
            (Navigation, "/%c3%bc/x", "→ /x", "either case of the digits"),
        ],
    );
    check(&router("/tv:1"), &[(Navigation, "/", "302 ./tv:1/web/", "`tv:` is no scheme")]);
}

#[test]
fn identity_health_and_devices_need_no_prefix() {
    let rows: Vec<_> = [
        "/health",
        "/Health/",
        "/System/Info/Public",
        "/system/info/public?x=1",
        "/SYSTEM/PING",
        "/discover.json",
        "/Lineup.json",
        "/lineup_status.json",
        "/lineup.post?scan=start",
        "/device.xml",
        "/dlna/icons/logo.png",
    ]
    .into_iter()
    .flat_map(|path| [(Navigation, path), (Other, path)])
    .map(|(class, path)| (class, path, format!("→ {path}")))
    .collect();
    for (class, path, expected) in &rows {
        check(&router("/jellyfin"), &[(*class, path, expected, "in place")]);
    }
    check(
        &router("/jellyfin"),
        &[
            (Navigation, "/jellyfin/health", "→ /health", "and with the prefix"),
            (Navigation, "/healthy", "302 jellyfin/web/", "that path alone"),
            (Navigation, "/dlna/../admin", "404", "the subtree alone"),
            (Other, "/dlnax", "404", "whole segments"),
        ],
    );
    let own = router("/jellyfin").with_in_place(["/ping".parse::<InPlacePath>().unwrap()]);
    check(
        &own,
        &[
            (Other, "/ping", "→ /ping", "the given list"),
            (Other, "/health", "404", "in place of the defaults"),
        ],
    );
}

#[test]
fn an_earlier_base_url_leads_to_the_present_one() {
    check(
        &router("/new").with_previous([base("/old"), base("/old/er")]),
        &[
            (Navigation, "/old/a/b?c=d", "302 ../../new/a/b?c=d", "path and query kept"),
            (Navigation, "/OLD/a", "302 ../new/a", "any letter case"),
            (Navigation, "/old", "302 new/web/", "the base itself"),
            (Navigation, "/old/", "302 ../new/web/", "the base itself"),
            (Navigation, "/old/er/x", "302 ../../new/x", "the longest counts"),
            (Navigation, "/old/System/Info/Public", "→ /System/Info/Public", "identity in place"),
            (Navigation, "/old//evil.com", "→ //evil.com", "no reference can carry it"),
            (Navigation, "/old/\\evil.com", "→ /\\evil.com", "no reference can carry it"),
            (Navigation, "/old/a\r\nX: y", "302 ../new/a%0D%0AX:%20y", "no header is split"),
            (Navigation, "/older", "302 new/web/", "not an earlier one"),
            (Other, "/old/Users/AuthenticateByName", "→ /Users/AuthenticateByName", "body kept"),
            (Other, "/old/socket?api_key=1", "→ /socket?api_key=1", "upgrade kept"),
            (Other, "/old", "→ /", "served in place"),
        ],
    );
}

#[test]
fn a_base_url_can_be_removed() {
    check(
        &router("").with_previous([base("/jellyfin")]),
        &[
            (Navigation, "/jellyfin/web/index.html?x", "302 ../../web/index.html?x", "to the root"),
            (Navigation, "/jellyfin", "302 web/", "the base itself"),
            (Navigation, "/jellyfin/", "302 ../web/", "the base itself"),
            (Navigation, "/web/", "→ /web/", "the root passes"),
            (Other, "/jellyfin/Items", "→ /Items", "served in place"),
            (Other, "/Items", "→ /Items", "the root passes"),
        ],
    );
}

#[test]
fn a_base_url_can_be_added_and_moved_down() {
    check(
        &router("/jellyfin").with_previous([base("/")]),
        &[
            (Navigation, "/web/index.html?x", "302 ../jellyfin/web/index.html?x", "under the base"),
            (Navigation, "/", "302 jellyfin/web/", "the base itself"),
            (Navigation, "/jellyfin/web/", "→ /web/", "the base counts first"),
            (Navigation, "/health", "→ /health", "identity in place"),
            (Other, "/Items", "→ /Items", "clients configured before keep working"),
        ],
    );
    check(
        &router("/tv").with_previous([base("/tv/jellyfin")]),
        &[
            (Navigation, "/tv/jellyfin/web/", "302 ../../web/", "the longest counts"),
            (Navigation, "/tv/web/", "→ /web/", "the base"),
        ],
    );
    check(
        &router("/tv/jellyfin").with_previous([base("/tv")]),
        &[
            (Navigation, "/tv/web/", "302 ../jellyfin/web/", "the earlier one"),
            (Navigation, "/tv/jellyfin/web/", "→ /web/", "the base"),
        ],
    );
}

#[test]
fn without_a_default_path_the_application_answers_at_the_base() {
    check(
        &router("/jellyfin").with_default_path(DefaultPath::none()),
        &[
            (Navigation, "/jellyfin/", "→ /", "the application's page"),
            (Navigation, "/jellyfin", "302 jellyfin/", "so that its relative links work"),
            (Navigation, "/", "302 jellyfin/", "to the application"),
        ],
    );
    check(
        &router("").with_default_path(DefaultPath::none()),
        &[(Navigation, "/", "→ /", "the application's page")],
    );
}

#[test]
fn a_proxy_that_says_what_it_stripped_needs_no_configuration() {
    let router = router("/jellyfin");
    let stripped = |class, target, prefix| shown(&router.route_stripped(class, target, prefix));
    assert_eq!(stripped(Other, "/Users", "/jellyfin"), "→ /Users");
    assert_eq!(stripped(Other, "/Users", "/Jellyfin/"), "→ /Users");
    assert_eq!(stripped(Navigation, "/?a", "/jellyfin"), "302 web/?a");
    assert_eq!(stripped(Navigation, "/jellyfin/x", "/jellyfin"), "→ /x");
    assert_eq!(stripped(Other, "/Users", "/evil"), "404");
    assert_eq!(stripped(Other, "/Users", "//evil.com"), "404");
}

#[test]
fn of_several_routers_the_best_founded_claim_is_the_greatest() {
    let films = router("/films").with_previous([base("/"), base("/old")]);
    let music = router("/films/music").with_previous([base("/songs")]);
    let books = router("/books");
    let root = router("/").with_previous([base("/library")]);
    let all = [("films", &films), ("music", &music), ("books", &books), ("root", &root)];
    for (target, prefix, expected, why) in [
        ("/films/x", None, Some("films"), "under the base"),
        ("/FILMS/music?x", None, Some("music"), "the longer base"),
        ("/films/m%75sic/x", None, Some("music"), "decoded"),
        ("/films/musical", None, Some("films"), "whole segments"),
        ("/songs/x", None, Some("music"), "an earlier base is longer than the root"),
        ("/library/x", None, Some("root"), "also of the one at the root"),
        ("/old", None, Some("films"), "an earlier base"),
        ("/x", None, Some("root"), "who is at the root goes before who was"),
        ("/health", None, Some("root"), "who is at the root goes before who answers in place"),
        ("/x", Some("/books"), Some("books"), "a proxy cut the base off"),
        ("/books/x", Some("/films"), Some("books"), "it did not: the path is whole"),
        ("x", None, None, "no path"),
    ] {
        let claims =
            all.iter().filter_map(|(name, router)| Some((router.claim(target, prefix)?, *name)));
        let best = claims.max_by_key(|(claim, _)| *claim).map(|(_, name)| name);
        assert_eq!(best, expected, "{target}: {why}");
    }
    for (target, claims) in [
        ("/books/x", true),
        ("/system/info/PUBLIC", true),
        ("*", true),
        ("/", false),
        ("/booksx", false),
        ("/books/../../x", false),
    ] {
        assert_eq!(books.claim(target, None).is_some(), claims, "{target}");
    }
}
