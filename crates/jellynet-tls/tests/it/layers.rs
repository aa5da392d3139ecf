//! The tower layers in front of a service.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use jellynet_tls::{Hsts, HstsLayer, HttpsRedirectLayer, NotRedirectable, RedirectedToHttps};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

type Body = String;

async fn call<S>(service: S, uri: &str, host: &str) -> Response<Body>
where
    S: Service<Request<()>, Response = Response<Body>, Error = Infallible>,
{
    let request = Request::builder().method("POST").uri(uri).header("host", host).body(()).unwrap();
    service.oneshot(request).await.unwrap()
}

async fn inner(_: Request<()>) -> Result<Response<Body>, Infallible> {
    Ok(Response::new("inner".to_owned()))
}

#[tokio::test]
async fn plain_requests_are_sent_on_and_others_are_answered() {
    let layer = HttpsRedirectLayer::new(8920)
        .exempt_path("/health/")
        .exempt_if(|request| request.headers.contains_key("x-television"));
    let service = ServiceBuilder::new().layer(layer).service(service_fn(inner));
    let response = call(service.clone(), "/Users?x=1", "tv:8096").await;
    assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(response.headers()["location"], "https://tv:8920/Users?x=1");
    let reason = response.extensions().get::<RedirectedToHttps>().unwrap();
    assert_eq!(reason.0, "https://tv:8920/Users?x=1");
    assert_eq!(response.body(), "");
    assert_eq!(call(service.clone(), "https://tv/x", "tv").await.body(), "inner");
    assert_eq!(call(service.clone(), "/health", "tv").await.body(), "inner");
    assert_eq!(call(service.clone(), "/.well-known/acme-challenge/x", "tv").await.body(), "inner");
    let response = call(service.clone(), "/", "not a host").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(response.extensions().get::<NotRedirectable>().is_some());
    let television = Request::builder().header("x-television", "1").body(()).unwrap();
    assert_eq!(service.oneshot(television).await.unwrap().body(), "inner");
}

#[tokio::test]
async fn hsts_is_promised_where_it_can_be_kept() {
    let layer = HstsLayer::new(Hsts::default(), |host| host == "tv.example.org");
    let service = ServiceBuilder::new().layer(layer).service(service_fn(inner));
    let header = async |uri| {
        let response = call(service.clone(), uri, "x").await;
        response
            .headers()
            .get("strict-transport-security")
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header("https://tv.example.org/").await.unwrap(), "max-age=15552000");
    assert_eq!(header("http://tv.example.org/").await, None);
    assert_eq!(header("https://other.example.org/").await, None);
}
