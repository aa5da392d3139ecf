//! The description, and the layer that serves it.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use jellynet_ssdp::description::{DescribeLayer, Description, Descriptions, Refusal};
use jellynet_ssdp::{Device, RootDevice, TypeName};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::UUID;

const ID: &str = "2fac1234-31f8-11b4-a222-08002b34c003";

fn description() -> Description {
    Description::media_server(UUID, "Tom & <Jerry>").with_png(48, 48, "not a real png")
}

/// The text of every element with that name.
fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!("<{name}>");
    let texts = xml.split(&open).skip(1);
    texts.map(|rest| rest.split("</").next().unwrap()).collect()
}

#[test]
fn everything_that_clients_need_is_there_and_in_order() {
    let xml = description().to_xml("http://10.77.1.1:8096/jellyfin");
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\""));
    assert!(xml.contains(" configId=\""));
    // async-upnp-client refuses an ampersand that is not escaped.
    assert_eq!(elements(&xml, "friendlyName"), ["Tom &amp; &lt;Jerry&gt;"]);
    assert_eq!(elements(&xml, "deviceType"), ["urn:schemas-upnp-org:device:MediaServer:1"]);
    assert_eq!(elements(&xml, "UDN"), [format!("uuid:{ID}")]);
    let base = format!("http://10.77.1.1:8096/jellyfin/dlna/{ID}");
    assert_eq!(
        elements(&xml, "SCPDURL"),
        [
            format!("{base}/contentdirectory/contentdirectory.xml"),
            format!("{base}/connectionmanager/connectionmanager.xml"),
        ]
    );
    assert_eq!(elements(&xml, "controlURL").len(), 2);
    assert_eq!(elements(&xml, "eventSubURL").len(), 2);
    let order = [
        "<specVersion>",
        "<device>",
        "<deviceType>",
        "<friendlyName>",
        "<manufacturer>",
        "<modelName>",
        "<UDN>",
        "<iconList>",
        "<serviceList>",
        "<presentationURL>",
    ];
    let places: Vec<_> = order.iter().map(|name| xml.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_roku_client_finds_the_address_of_the_server() {
    // It wants this manufacturer, and takes what stands before /dlna/ in an icon's URL.
    let xml = description().to_xml("http://10.77.1.1:8096/jellyfin");
    assert_eq!(elements(&xml, "manufacturer"), ["Jellyfin"]);
    let icon = elements(&xml, "url")[0];
    let address = icon.split("/dlna/").next().unwrap();
    assert_eq!(address, "http://10.77.1.1:8096/jellyfin");
}

#[test]
fn what_is_described_is_what_is_advertised() {
    let mut description = description();
    let mut inner = Description::media_server(jellynet_ssdp::Uuid::from_bytes([1; 16]), "inner");
    inner.device_type = TypeName::device("Clock", 2);
    description.embedded.push(inner);
    let advertised = RootDevice::new(description.device(), |_, _| None).advertisements();
    assert_eq!(advertised.len(), 3 + 2 + 4);
    let xml = description.to_xml("http://x");
    for one in advertised.iter().skip(1) {
        assert!(xml.contains(&format!(">{}<", one.nt())), "{}", one.nt());
    }
    assert_eq!(
        description.embedded[0].device().uuid(),
        Device::media_server(jellynet_ssdp::Uuid::from_bytes([1; 16])).uuid()
    );
}

#[test]
fn the_configuration_id_changes_with_the_description_and_is_that_of_the_announcements() {
    let id = |description: &Description| {
        let root = description.root_device(|_, _| None);
        let attribute = format!("configId=\"{}\"", root.config_id());
        assert!(description.to_xml("http://x").contains(&attribute), "{attribute}");
        root.config_id()
    };
    let first = id(&description());
    assert_eq!(id(&description()), first, "the same at each start");
    let mut renamed = description();
    renamed.friendly_name.push('!');
    assert_ne!(id(&renamed), first);
    let mut other = description();
    other.services[0].scpd = Bytes::from_static(b"<scpd/>");
    assert_ne!(id(&other), first);
    other.config_id = Some(7);
    assert_eq!(id(&other), 7);
}

fn request(method: Method, path: &str, host: &str) -> Request<()> {
    let request = Request::builder().method(method).uri(path);
    request.header(HOST, host).body(()).unwrap()
}

fn descriptions() -> Descriptions {
    Descriptions::new([description()]).with_base("/jellyfin/").with_host_name("media.lan")
}

/// A method, a path, the host it came under, the status (0 where it goes on), and why. `@` is
/// the place of the device.
#[rustfmt::skip]
const REQUESTS: &[(&str, &str, &str, u16, &str)] = &[
    ("GET", "@/description.xml", IP, 200, "the description"),
    ("HEAD", "@/description.xml", IP, 200, "its head"),
    ("GET", "/jellyfin@/description.xml", IP, 200, "below the base"),
    ("GET", "@/DESCRIPTION.XML", IP, 200, "in capitals"),
    ("GET", "@/icon48.png", IP, 200, "the icon"),
    ("GET", "@/contentdirectory/contentdirectory.xml", IP, 200, "a service"),
    ("POST", "@/description.xml", IP, 405, "another method"),
    ("GET", "@/description.xml", "[fd77:1::1]:8096", 200, "IPv6"),
    ("GET", "@/description.xml", "localhost:8096", 200, "this host"),
    ("GET", "@/description.xml", "MEDIA.lan", 200, "our name"),
    ("GET", "@/description.xml", "evil.example", 403, "rebinding"),
    ("POST", "@/contentdirectory/control", "evil.example", 403, "rebinding, control"),
    ("GET", "/jellyfin/dlna/x", "evil.example", 403, "rebinding, base"),
    ("GET", "/DLNA/x", "evil.example", 403, "rebinding, capitals"),
    ("POST", "@/contentdirectory/control", IP, 0, "control is another's"),
    ("GET", "@/icon49.png", IP, 0, "no such icon"),
    ("GET", "/dlna/", IP, 0, "nothing"),
    ("GET", "/web/index.html", "evil.example", 0, "not ours"),
    ("GET", "/other/dlna/x", "evil.example", 0, "another base"),
    ("GET", "/jellyfinx/dlna/x", "evil.example", 0, "not our base"),
    ("GET", "/dlna%C3%A9/x", "evil.example", 0, "not /dlna/"),
];

const IP: &str = "10.77.1.1:8096";

#[test]
fn each_request_gets_its_document_or_goes_on() {
    for (method, path, host, expected, why) in REQUESTS.iter().copied() {
        let method: Method = method.parse().unwrap();
        let path = path.replace('@', &format!("/dlna/{ID}"));
        let response = descriptions().respond(&request(method.clone(), &path, host));
        let status = response.as_ref().map_or(0, |r| r.status().as_u16());
        assert_eq!(status, expected, "{why}: {path}");
        let Some(response) = response else { continue };
        match expected {
            200 => {
                let length = response.headers()[CONTENT_LENGTH].to_str().unwrap();
                let sent = response.body().len();
                assert_eq!(length == sent.to_string(), method != Method::HEAD, "{why}");
            }
            403 => assert_eq!(response.extensions().get(), Some(&Refusal::ForeignHost)),
            _ => assert_eq!(response.headers()[ALLOW], "GET, HEAD"),
        }
    }
}

#[test]
fn urls_are_below_what_was_asked() {
    for (host, path, base) in [
        ("10.77.1.1:8096", "", "http://10.77.1.1:8096/dlna/"),
        ("10.77.1.1:8096", "/jellyfin", "http://10.77.1.1:8096/jellyfin/dlna/"),
        ("[fd77:1::1]", "", "http://[fd77:1::1]/dlna/"),
        ("media.lan", "", "http://media.lan/dlna/"),
    ] {
        let path = format!("{path}/dlna/{ID}/description.xml");
        let response = descriptions().respond(&request(Method::GET, &path, host)).unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], "text/xml; charset=\"utf-8\"");
        let xml = std::str::from_utf8(response.body()).unwrap();
        for url in elements(xml, "url").iter().chain(&elements(xml, "controlURL")) {
            assert!(url.starts_with(base), "{url}");
        }
    }
    // HTTP/2 and outer layers have the authority in the URI.
    let uri = format!("https://10.77.1.9/dlna/{ID}/description.xml");
    let response = descriptions().respond(&request(Method::GET, &uri, "evil.example")).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let xml = std::str::from_utf8(response.body()).unwrap();
    assert!(elements(xml, "url")[0].starts_with("https://10.77.1.9/dlna/"));
    // Without any, there is nobody to answer.
    let none = Request::builder().uri(format!("/dlna/{ID}/description.xml")).body(()).unwrap();
    assert_eq!(descriptions().respond(&none).unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_layer_answers_or_hands_on() {
    let inner = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"inner"))))
    });
    let service = DescribeLayer::new(descriptions()).layer(inner);
    for (path, expected) in [
        ("/web/index.html".to_owned(), "inner"),
        (format!("/dlna/{ID}/icon48.png"), "not a real png"),
        (format!("/dlna/{ID}/contentdirectory/control"), "inner"),
    ] {
        let request = request(Method::GET, &path, "10.77.1.1");
        let response = service.clone().oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, expected, "{path}");
    }
}
