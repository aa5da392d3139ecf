//! The tower layer in front of an application.

use std::convert::Infallible;

use http::header::{ACCEPT, CONTENT_LOCATION, HOST, LOCATION, SET_COOKIE, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use jellynet_base_url::{BaseUrlAnswer, BaseUrlLayer, OriginalTarget, RequestClass, Router};
use tower::{Layer, ServiceExt, service_fn};

use crate::table::base;

/// What the application saw, as `inner | original | X-Forwarded-Prefix`.
async fn seen(layer: BaseUrlLayer, request: Request<()>) -> Response<String> {
    let service = layer.layer(service_fn(|request: Request<()>| async move {
        let prefix = request.headers().get("x-forwarded-prefix");
        let body = format!(
            "{} | {} | {}",
            request.uri(),
            OriginalTarget::of(&request),
            prefix.map_or("-", |prefix| prefix.to_str().unwrap())
        );
        Ok::<_, Infallible>(Response::new(body))
    }));
    service.oneshot(request).await.unwrap()
}

/// The response to an application that answers with these headers.
async fn answered(layer: BaseUrlLayer, headers: HeaderMap) -> HeaderMap {
    let service = layer.layer(service_fn(move |_: Request<()>| {
        let mut response = Response::new(());
        response.headers_mut().extend(headers.clone());
        async { Ok::<_, Infallible>(response) }
    }));
    let request = get("/tv/x").header(HOST, "tv.lan:8096").body(()).unwrap();
    service.oneshot(request).await.unwrap().headers().clone()
}

fn get(target: &str) -> http::request::Builder {
    Request::get(target)
}

fn layer(text: &str) -> BaseUrlLayer {
    BaseUrlLayer::new(Router::new(base(text)))
}

/// The application lives at `inside`, and something behind this layer puts it in front.
fn before(text: &str, inside: &str) -> BaseUrlLayer {
    layer(text).with_forwarded_prefix_before(&base(inside))
}

#[tokio::test]
async fn the_application_sees_the_inner_path_and_finds_the_original() {
    for (layer, target, body) in [
        (layer("/tv"), "/TV/x?y", "/x?y | /TV/x?y | -"),
        (layer("/tv"), "http://tv.lan/tv/x", "http://tv.lan/x | http://tv.lan/tv/x | -"),
        (layer("/tv"), "/health", "/health | /health | -"),
        (layer(""), "/x", "/x | /x | -"),
        (layer("/tv").with_inside(base("/app")), "/tv/x", "/app/x | /tv/x | -"),
        (layer("/tv").with_inside(base("/app")), "/health", "/app/health | /health | -"),
        (layer("").with_inside(base("/app")), "/x", "/app/x | /x | -"),
        (layer("/tv").with_forwarded_prefix(), "/tv/x", "/x | /tv/x | /tv"),
        (layer("").with_forwarded_prefix(), "/x", "/x | /x | -"),
        (before("/media/tv", "/tv"), "/media/tv/x", "/x | /media/tv/x | /media"),
        (before("/tv", "/tv"), "/tv/x", "/x | /tv/x | -"),
        (before("/films", "/tv"), "/films/x", "/x | /films/x | -"),
        (before("/mytv", "/tv"), "/mytv/x", "/x | /mytv/x | -"),
    ] {
        let response = seen(layer, get(target).body(()).unwrap()).await;
        assert_eq!(response.body(), body);
    }
}

#[tokio::test]
async fn redirects_and_refusals_are_answered_here_and_say_so() {
    let response = seen(layer("/tv"), get("/a/b?c").body(()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()[LOCATION], "../tv/web/?c");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let why = response.extensions().get();
    assert_eq!(why, Some(&BaseUrlAnswer::Redirected));

    let response = seen(layer("/tv"), Request::post("/a").body(()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.body(), "");
    let why = response.extensions().get();
    assert_eq!(why, Some(&BaseUrlAnswer::NotFound));
}

#[tokio::test]
async fn a_clients_prefix_header_is_no_way_around() {
    let spoofed = |prefix| get("/x").header("x-forwarded-prefix", prefix).body(());
    let response = seen(layer("/tv"), spoofed("/evil").unwrap()).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    let response = seen(layer("").with_forwarded_prefix(), spoofed("/evil").unwrap()).await;
    assert_eq!(response.body(), "/x | /x | -");
    let response = seen(layer("/tv"), spoofed("/tv").unwrap()).await;
    assert_eq!(response.body(), "/x | /x | /tv");
}

#[tokio::test]
async fn locations_and_cookies_are_told_in_the_clients_terms() {
    let mut headers = HeaderMap::new();
    headers.insert(LOCATION, "http://TV.lan:8096/web/".parse().unwrap());
    headers.insert(CONTENT_LOCATION, "/x.json".parse().unwrap());
    headers.append(SET_COOKIE, "a=1; Path=/".parse().unwrap());
    headers.append(SET_COOKIE, "b=2; Path=/tv/x".parse().unwrap());
    let mapped = answered(layer("/tv"), headers.clone()).await;
    assert_eq!(mapped[LOCATION], "http://TV.lan:8096/tv/web/");
    assert_eq!(mapped[CONTENT_LOCATION], "/tv/x.json");
    let cookies: Vec<_> = mapped.get_all(SET_COOKIE).iter().collect();
    assert_eq!(cookies, ["a=1; Path=/tv", "b=2; Path=/tv/x"]);

    let same = answered(layer("/tv").with_inside(base("/tv")), headers.clone()).await;
    assert_eq!(same, headers);
}

#[test]
fn only_what_a_browser_sends_to_show_a_page_is_a_navigation() {
    use RequestClass::{Navigation, Other};
    let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (method, name, value, class) in [
        (Method::GET, ACCEPT, firefox, Navigation),
        (Method::HEAD, ACCEPT, "*/*", Navigation),
        (Method::GET, HOST, "no accept", Navigation),
        (Method::GET, ACCEPT, "Text/HTML;q=0.1, application/json", Navigation),
        (Method::GET, ACCEPT, "application/json, */*;q=0.8", Other),
        (Method::GET, ACCEPT, "image/avif,*/*;q=0.8", Other),
        (Method::GET, UPGRADE, "websocket", Other),
        (Method::POST, ACCEPT, firefox, Other),
        (Method::OPTIONS, ACCEPT, "*/*", Other),
        (Method::CONNECT, ACCEPT, "*/*", Other),
    ] {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        assert_eq!(RequestClass::of(&method, &headers), class, "{method} {value}");
    }
}
