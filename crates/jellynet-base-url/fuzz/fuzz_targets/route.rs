//! Any base path, any earlier one, any target: no panic, and no redirect leaves the server.

#![cfg_attr(fuzzing, no_main)]

use jellynet_base_url::{BasePath, PathMap, RequestClass, Route, Router};
use libfuzzer_sys::fuzz_target;

// Three lines: base path, earlier base path, target.
fuzz_target!(|text: &str| {
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (Ok(base), Ok(previous)) = (next().parse::<BasePath>(), next().parse::<BasePath>()) else {
        return;
    };
    let target = next();
    assert_eq!(base.as_str().parse::<BasePath>().as_ref(), Ok(&base));
    let router = Router::new(base.clone()).with_previous([previous.clone()]);
    for class in [RequestClass::Navigation, RequestClass::Other] {
        for route in
            [router.route(class, target), router.route_stripped(class, target, base.as_str())]
        {
            match route {
                Route::Redirect { location, .. } => {
                    assert_eq!(class, RequestClass::Navigation);
                    assert!(!location.starts_with("//") && !location.contains("://"));
                    assert!(location.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'));
                }
                Route::Pass { inner } => assert!(inner.starts_with('/') || inner == "*"),
                Route::NotFound => {}
            }
        }
    }
    let map = PathMap::new(base, previous);
    if let Some(mapped) = map.location(target, None) {
        assert!(mapped.starts_with('/') && !mapped.starts_with("//"));
    }
    let _ = map.cookie(target);
});
