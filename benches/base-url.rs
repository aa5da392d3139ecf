//! Routing one target: below the base, in place, and elsewhere.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jellynet_base_url::{RequestClass, Router};

fn route(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("base-url");
    let base = |path: &str| path.parse().expect("a base path");
    let plain = Router::new(base(""));
    let router = Router::new(base("/jellyfin")).with_previous([base("/old"), base("/older")]);
    for (name, router, class, target) in [
        ("no-prefix", &plain, RequestClass::Other, "/Videos/1/stream.mkv?static=true"),
        ("pass", &router, RequestClass::Other, "/jellyfin/Videos/1/stream.mkv?static=true"),
        ("pass-encoded", &router, RequestClass::Other, "/jellyfin/Items/a%20b%2Fc/Images"),
        ("previous", &router, RequestClass::Other, "/old/Videos/1/stream.mkv"),
        ("in-place", &router, RequestClass::Other, "/system/info/public"),
        ("not-found", &router, RequestClass::Other, "/Users/AuthenticateByName"),
        ("redirect", &router, RequestClass::Navigation, "/old/web/index.html?x=1"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(router.route(class, black_box(target))));
        });
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
