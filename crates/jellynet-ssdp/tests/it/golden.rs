//! What real programs send, as it was captured in network namespaces: Debian 12's minidlna 1.3.0,
//! gerbera 1.1.0 (libupnp 1.8.4), gssdp 1.6.2 and miniupnpc 2.2.4, async-upnp-client 0.49.0,
//! ssdpy 0.4.1 and node-ssdp 4.0.1. Of the kernel's release only the first numbers are kept.

use jellynet_ssdp::message::{Message, NotifyKind};

use crate::support::MEDIA_SERVER;

macro_rules! captured {
    ($name:literal) => {
        ($name, include_bytes!(concat!("golden/", $name, ".bin")).as_slice())
    };
}

const SEARCHES: [(&str, &[u8]); 5] = [
    captured!("gssdp-search"),
    captured!("async-upnp-client-search"),
    captured!("miniupnpc-search"),
    captured!("node-ssdp-search"),
    captured!("ssdpy-search"),
];

const ALIVES: [(&str, &[u8]); 2] = [captured!("minidlna-alive"), captured!("gerbera-alive")];
const ANSWERS: [(&str, &[u8]); 2] = [captured!("minidlna-answer"), captured!("gerbera-answer")];
const BYEBYES: [(&str, &[u8]); 2] = [captured!("minidlna-byebye"), captured!("gerbera-byebye")];

/// All of them.
pub(crate) fn all() -> Vec<Vec<u8>> {
    let all = SEARCHES.iter().chain(&ALIVES).chain(&ANSWERS).chain(&BYEBYES);
    all.map(|(_, bytes)| bytes.to_vec()).collect()
}

#[test]
fn searches_of_real_control_points_are_read() {
    let expected = [
        (3, MEDIA_SERVER),
        (2, "ssdp:all"),
        (2, "urn:schemas-upnp-org:device:InternetGatewayDevice:1"),
        (3, "ssdp:all"),
        (1, "upnp:rootdevice"),
    ];
    for ((name, bytes), (mx, target)) in SEARCHES.into_iter().zip(expected) {
        let Ok(Message::Search(search)) = Message::parse(bytes) else {
            panic!("{name}");
        };
        assert_eq!((search.mx, search.target.as_str()), (Some(mx), target), "{name}");
        assert_eq!(search.host.unwrap().as_str(), "239.255.255.250:1900", "{name}");
    }
}

#[test]
fn what_real_devices_say_is_read() {
    let location = ["http://10.77.1.1:8200/rootDesc.xml", "http://10.77.1.1:49152/description.xml"];
    for ((name, bytes), location) in ALIVES.into_iter().zip(location) {
        let Ok(Message::Notify(notify)) = Message::parse(bytes) else {
            panic!("{name}");
        };
        assert_eq!(notify.kind, NotifyKind::Alive, "{name}");
        assert_eq!(notify.target.as_str(), MEDIA_SERVER, "{name}");
        assert_eq!(notify.details.location.unwrap().as_str(), location, "{name}");
        assert_eq!(notify.details.max_age, Some(1800), "{name}");
        // libupnp writes a UUID where UPnP has a number.
        assert_eq!(notify.details.nls, None, "{name}");
    }
    for ((name, bytes), location) in ANSWERS.into_iter().zip(location) {
        let Ok(Message::Response(response)) = Message::parse(bytes) else {
            panic!("{name}");
        };
        assert_eq!(response.target.as_str(), MEDIA_SERVER, "{name}");
        assert!(response.usn.as_str().ends_with(MEDIA_SERVER), "{name}");
        assert_eq!(response.details.location.unwrap().as_str(), location, "{name}");
        assert!(response.details.server.is_some(), "{name}");
    }
    for (name, bytes) in BYEBYES {
        let Ok(Message::Notify(notify)) = Message::parse(bytes) else {
            panic!("{name}");
        };
        assert_eq!(notify.kind, NotifyKind::ByeBye, "{name}");
        assert!(notify.usn.as_str().ends_with(MEDIA_SERVER), "{name}");
    }
}
