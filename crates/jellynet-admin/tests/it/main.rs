//! The pieces as a server puts them together.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::convert::Infallible;
use std::io::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use jellynet_admin::{AccessLog, Admin, Format, MeasureLayer, Metrics, Part, Ready};
use jellynet_netif::{ClientAddr, PeerAddr, Provenance, RequestId};
use tower::{Layer, ServiceExt, service_fn};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn request() -> Request<()> {
    let mut request = Request::get("/Items?api_key=S3CR3T&x=1")
        .header("referer", "http://tv.lan/web/?ApiKey=S3CR3T")
        .header("user-agent", "a \"quoted\" agent")
        .header("authorization", "S3CR3T")
        .body(())
        .unwrap();
    let extensions = request.extensions_mut();
    extensions.insert(PeerAddr::inet("10.0.0.7:5".parse().unwrap()));
    // What a layer in front found out goes before the peer.
    extensions.insert(ClientAddr::direct("192.0.2.1:9".parse().unwrap()));
    request
}

/// Who answers knows what the log calls the request, where it does.
async fn answer(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"hello")));
    if let Some(id) = request.extensions().get::<RequestId>() {
        response.headers_mut().insert("x-request-id", id.as_str().parse().unwrap());
    }
    Ok(response)
}

async fn lines(format: Format, read_body: bool) -> (String, String) {
    let (written, metrics) = (Written::default(), Metrics::new("1", "c0ffee"));
    let log = AccessLog::new(format, written.clone());
    let service =
        MeasureLayer::new("http", metrics.listener("http"), log).layer(service_fn(answer));
    let response = service.oneshot(request()).await.unwrap();
    if read_body {
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    } else {
        assert!(metrics.encode().contains("in_flight{listener=\"http\"} 1"));
        drop(response);
    }
    (written.text(), metrics.encode())
}

#[tokio::test]
async fn a_combined_line_names_the_client_and_no_secret() {
    let (line, metrics) = lines(Format::Combined, true).await;
    assert!(line.starts_with("192.0.2.1 - - ["), "{line}");
    assert!(line.contains("\"GET /Items?api_key=***"), "{line}");
    assert!(
        line.contains(" 200 5 \"http://tv.lan/web/?ApiKey=***\" \"a \\\"quoted\\\" agent\"\n"),
        "{line}"
    );
    assert!(!line.contains("S3CR3T"), "{line}");
    assert!(
        metrics.contains(
            "jellynet_http_requests_total{code=\"2xx\",listener=\"http\",method=\"GET\"} 1"
        )
    );
    assert!(metrics.contains("in_flight{listener=\"http\"} 0"));
}

#[tokio::test]
async fn a_json_line_says_whether_the_response_was_sent_whole() {
    for (read, complete) in [(true, true), (false, false)] {
        let (line, _) = lines(Format::Json, read).await;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["complete"], complete);
        assert_eq!(line["client"], "192.0.2.1");
        assert_eq!(line["status"], 200);
        assert!(!line.to_string().contains("S3CR3T"));
    }
}

#[tokio::test]
async fn a_json_line_names_its_request_as_whoever_answers_does() {
    for (format, provenance, given, taken) in [
        (Format::Json, Provenance::Direct, "forged", None),
        (Format::Json, Provenance::Forwarded { hops: 1 }, "of-the-proxy", Some("of-the-proxy")),
        (Format::Json, Provenance::Forwarded { hops: 1 }, "a \"b", None),
        (Format::Combined, Provenance::Forwarded { hops: 1 }, "x", None),
        (Format::Off, Provenance::Forwarded { hops: 1 }, "x", None),
    ] {
        let (written, metrics) = (Written::default(), Metrics::new("1", "c0ffee"));
        let log = AccessLog::new(format, written.clone());
        let layer = MeasureLayer::new("http", metrics.listener("http"), log);
        let mut request = request();
        request.headers_mut().insert("x-request-id", given.parse().unwrap());
        let mut client = ClientAddr::direct("192.0.2.1:9".parse().unwrap());
        client.provenance = provenance;
        request.extensions_mut().insert(client);
        let response = layer.layer(service_fn(answer)).oneshot(request).await.unwrap();
        let told = response.headers().get("x-request-id").map(|id| id.to_str().unwrap().to_owned());
        drop(response);
        assert_eq!(told.is_some(), format == Format::Json, "nobody else needs a name");
        let Some(told) = told else { continue };
        let line: serde_json::Value = serde_json::from_str(&written.text()).unwrap();
        assert_eq!(line["request_id"], *told);
        match taken {
            Some(taken) => assert_eq!(told, taken),
            None => assert!(told != given && told.len() == 16, "{told}"),
        }
    }
}

#[tokio::test]
async fn nothing_is_written_while_the_log_is_off() {
    assert_eq!(lines(Format::Off, true).await.0, "");
}

#[test]
fn the_administrator_gets_an_answer_of_now() {
    let up = Arc::new(Mutex::new(false));
    let asked = Arc::clone(&up);
    let admin = Admin::new(
        Metrics::new("1", "c0ffee"),
        move || {
            let up = *asked.lock().unwrap();
            Ready::new([if up {
                Part::ready("upstream")
            } else {
                Part::waiting("upstream", "down")
            }])
        },
        || serde_json::json!({ "version": 1 }),
    );
    assert_eq!(admin.answer(&Method::GET, "/ready").status(), StatusCode::SERVICE_UNAVAILABLE);
    *up.lock().unwrap() = true;
    assert_eq!(admin.answer(&Method::GET, "/ready").status(), StatusCode::OK);
    for (method, path, status) in [
        (Method::GET, "/live", 200),
        (Method::HEAD, "/metrics", 200),
        (Method::GET, "/status.json", 200),
        (Method::POST, "/live", 405),
        (Method::GET, "/else", 404),
    ] {
        assert_eq!(admin.answer(&method, path).status(), status, "{method} {path}");
    }
}
