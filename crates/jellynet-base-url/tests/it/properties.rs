//! What holds for every base path and every target.

use jellynet_base_url::{BasePath, PathMap, RequestClass, Route, Router};
use proptest::prelude::*;

use crate::resolve::resolve;

fn base_path() -> impl Strategy<Value = BasePath> {
    prop_oneof![
        Just(BasePath::root()),
        "(/[a-zA-Z0-9 ~:;ü%-]{1,5}){1,3}".prop_filter_map("a base path", |text| text.parse().ok()),
    ]
}

/// Targets made of what routers trip over.
fn target() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/"),
        Just("//"),
        Just("\\"),
        Just(".."),
        Just("."),
        Just("%2e"),
        Just("%2F"),
        Just("%5c"),
        Just("?"),
        Just("#"),
        Just(":"),
        Just("@"),
        Just("a"),
        Just("b"),
        Just("web"),
        Just("http:"),
        Just("evil.com"),
        Just("health"),
        Just("%"),
        Just("\r\n"),
        Just("ü"),
    ];
    prop_oneof![
        proptest::collection::vec(piece, 0..10).prop_map(|pieces| format!("/{}", pieces.concat())),
        any::<String>(),
    ]
}

fn class() -> impl Strategy<Value = RequestClass> {
    prop_oneof![Just(RequestClass::Navigation), Just(RequestClass::Other)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_a_router_serves_to_programs_is_what_it_claims(
        base in base_path(), previous in base_path(), target in target()
    ) {
        let router = Router::new(base).with_previous([previous]);
        let served = matches!(router.route(RequestClass::Other, &target), Route::Pass { .. });
        prop_assert_eq!(router.claim(&target, None).is_some(), served);
    }

    #[test]
    fn what_is_joined_is_stripped_again(base in base_path(), rest in "(/[ -~]{0,12})?") {
        let joined = base.join(&rest);
        let expected = if base.is_root() && rest.is_empty() { "/" } else { &rest };
        prop_assert_eq!(base.strip(&joined), Some(expected));
    }

    #[test]
    fn the_canonical_text_is_a_base_path_and_the_same(base in base_path()) {
        let again: BasePath = base.as_str().parse().unwrap();
        prop_assert_eq!(again.as_str(), base.as_str());
    }

    #[test]
    fn a_redirect_stays_on_the_host_and_arrives_under_the_base(
        base in base_path(),
        previous in proptest::collection::vec(base_path(), 0..3),
        under in any::<Option<proptest::sample::Index>>(),
        target in target(),
        class in class(),
    ) {
        let router = Router::new(base.clone()).with_previous(previous.clone());
        let prefix = under.filter(|_| !previous.is_empty()).map(|index| index.get(&previous));
        let target = prefix.map_or_else(|| target.clone(), |prefix| prefix.join(&target));
        match router.route(class, &target) {
            Route::Redirect { location, status } => {
                prop_assert_eq!(status, 302);
                prop_assert_eq!(class, RequestClass::Navigation);
                prop_assert!(!location.starts_with("//") && !location.contains('\\'));
                prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{}", location);
                let path = target.split(['?', '#']).next().unwrap();
                let (host, arrived) = resolve("tv.lan", path, &location);
                prop_assert_eq!(host, "tv.lan");
                prop_assert!(base.strip(&arrived).is_some(), "{} is not under {}", arrived, base);
                // The client may have walked the dots of `/old/.` to the base itself: one more.
                let arrived = match router.route(class, &arrived) {
                    Route::Redirect { location, .. } => resolve("tv.lan", &arrived, &location).1,
                    _ => arrived,
                };
                let at_last = router.route(class, &arrived);
                prop_assert!(matches!(at_last, Route::Pass { .. }), "{} → {:?}", arrived, at_last);
            }
            Route::Pass { inner } => prop_assert!(inner.starts_with('/') || inner == "*"),
            Route::NotFound => {}
        }
    }

    #[test]
    fn the_header_of_a_proxy_moves_nothing_but_the_base(
        base in base_path(), target in target(), prefix in any::<String>(), class in class(),
    ) {
        let router = Router::new(base.clone());
        let named = base.strip(&prefix).is_some_and(|rest| matches!(rest, "" | "/"));
        if !named || base.is_root() {
            let expected = router.route(class, &target);
            prop_assert_eq!(router.route_stripped(class, &target, &prefix), expected);
        }
        if let Route::Redirect { location, .. } = router.route_stripped(class, &target, base.as_str()) {
            prop_assert!(!location.starts_with("//"));
        }
    }

    #[test]
    fn a_mapped_location_names_no_other_host(
        outside in base_path(), inside in base_path(), location in target(),
    ) {
        let map = PathMap::new(outside, inside);
        for location in [location.clone(), map.inside().join(&location)] {
            if let Some(mapped) = map.location(&location, Some("tv.lan")) {
                let before = resolve("tv.lan", "/", &location).0;
                let after = resolve("tv.lan", "/", &mapped).0;
                prop_assert!(after == "tv.lan" || after == before, "{} → {}", location, mapped);
            }
        }
    }

    #[test]
    fn hostile_text_never_panics(text in any::<String>(), cookie in any::<String>()) {
        let _ = text.parse::<BasePath>();
        let map = PathMap::new("/tv".parse().unwrap(), BasePath::root());
        let _ = map.cookie(&cookie);
        let _ = map.cookie(&format!("a=b;{cookie};Path={text}"));
        let _ = map.location(&text, Some(&cookie));
    }
}
