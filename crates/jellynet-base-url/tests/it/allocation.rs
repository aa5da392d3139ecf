//! A request that passes costs no allocation.

use allocation_counter::measure;
use jellynet_base_url::{BasePath, RequestClass, Route, Router};

#[test]
fn passing_and_refusing_allocate_nothing() {
    let previous = ["/old", "/older/one"].map(|path| path.parse::<BasePath>().unwrap());
    let router = Router::new("/jellyfin".parse().unwrap()).with_previous(previous);
    for (class, target) in [
        (RequestClass::Navigation, "/jellyfin/Videos/1/stream.mkv?static=true"),
        (RequestClass::Navigation, "/JELLYFIN/a/../b%20c"),
        (RequestClass::Other, "/j%65llyfin/socket"),
        (RequestClass::Other, "/old/Users/AuthenticateByName"),
        (RequestClass::Other, "/system/info/public"),
        (RequestClass::Other, "/elsewhere"),
        (RequestClass::Navigation, "/jellyfinx"),
    ] {
        let info = measure(|| {
            let route = std::hint::black_box(router.route(class, target));
            assert!(!matches!(route, Route::Redirect { .. }));
            std::hint::black_box(router.claim(target, Some("/jellyfin")));
        });
        assert_eq!(info.count_total, 0, "{target}");
    }
}
