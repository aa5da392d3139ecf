//! The wire format: what is read, what is refused, and what is written.

use jellynet_ssdp::message::{
    Details, FieldValue, FieldValueError, MAX_FIELD_VALUE, Message, Notify, NotifyKind,
    ParseMessageError, Response, Search,
};
use jellynet_test::wire::Network;
use proptest::prelude::*;

use crate::support::{SECOND, address, advertiser, eth, group};

/// What broke others, and what it is here: the list of docs/protocols/ssdp.md. Each is a seed of
/// the fuzz targets as well.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = malformed_starts();
    all.extend(malformed_headers());
    all
}

fn malformed_starts() -> Vec<(&'static str, Vec<u8>)> {
    let start = |line: &str| {
        let text = format!("{line}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n");
        text.into_bytes()
    };
    vec![
        ("nothing", Vec::new()),
        ("one byte", b"M".to_vec()),
        ("a start line alone", b"M-SEARCH * HTTP/1.1\r\n\r\n".to_vec()),
        ("a start line without an end", b"M-SEARCH * HTTP/1.1".to_vec()),
        ("a version that is no number", start("M-SEARCH * HTTP/1.x")),
        ("no version", start("M-SEARCH *")),
        ("version 2", start("M-SEARCH * HTTP/2.0")),
        ("a strange method", start("@@ * HTTP/1.1")),
        ("a path", start("M-SEARCH /x HTTP/1.1")),
        ("a fourth word", start("M-SEARCH * HTTP/1.1 x")),
        ("a longer method", start("M-SEARCHES * HTTP/1.1")),
        ("an MX that is no number", start("M-SEARCH * HTTP/1.1\r\nMX: soon")),
        ("a huge MX", start("M-SEARCH * HTTP/1.1\r\nMX: 99999999999")),
        ("a negative MX", start("M-SEARCH * HTTP/1.1\r\nMX: -1")),
        ("an answer", b"HTTP/1.1 200 OK\r\nST: ssdp:all\r\nUSN: uuid:x\r\n\r\n".to_vec()),
        ("a request for a web page", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("a question for Jellyfin", b"Who is JellyfinServer?".to_vec()),
        ("zeros", vec![0; 512]),
        ("all bits", vec![0xff; 512]),
        ("line ends alone", b"\r\n\r\n\r\n".to_vec()),
    ]
}

fn malformed_headers() -> Vec<(&'static str, Vec<u8>)> {
    let with = |line: &str| {
        let text =
            format!("M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n{line}\r\n\r\n");
        text.into_bytes()
    };
    vec![
        ("no ST", with("X: y")),
        ("an empty ST", with("ST:")),
        ("a blank ST", with("ST:    \t ")),
        ("a line without a colon", with("ST: ssdp:all\r\nrubbish")),
        ("a header without a name", with("ST: ssdp:all\r\n: x")),
        ("hundreds of colons", with(&format!("ST: urn{}", ":".repeat(900)))),
        ("a long ST", with(&format!("ST: urn:schemas-upnp-org:device:{}:1", "A".repeat(5000)))),
        ("a long version", with(&format!("ST: urn:a:device:b:{}", "9".repeat(900)))),
        ("a long uuid", with(&format!("ST: uuid:{}", "a".repeat(900)))),
        ("a NUL in ST", with("ST: ssdp:all\0")),
        ("a control character in ST", with("ST: ssdp:\x07all")),
        ("ST that is not UTF-8", {
            let mut bytes =
                b"M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ".to_vec();
            bytes.extend(b"\xff\xfe\r\n\r\n");
            bytes
        }),
        ("a folded ST", with("ST: ssdp\r\n :all")),
        (
            "another MAN",
            with("ST: ssdp:all")
                .iter()
                .copied()
                .map(|b| if b == b'v' { b'x' } else { b })
                .collect(),
        ),
        ("ten thousand headers", with(&format!("{}ST: ssdp:all", "X: y\r\n".repeat(10_000)))),
        ("a hundred headers", with(&format!("{}ST: ssdp:all", "X: y\r\n".repeat(100)))),
        ("64 kB", with(&format!("ST: ssdp:all\r\nX: {}", "y".repeat(65_000)))),
    ]
}

#[test]
fn what_broke_others_is_answered_with_silence_and_the_next_search_is_answered() {
    let mut network = Network::new(2);
    let lan = network.lan();
    let host = network.host("server");
    network.attach(host, lan, eth(1));
    network.seat(host, 1900, advertiser());
    network.run_for(SECOND * 10);
    for (why, bytes) in malformed() {
        let client = address("10.77.1.2:5000");
        for to in [group(), address("10.77.1.1:1900")] {
            network.clear_packets();
            network.inject(lan, client, to, &bytes);
            network.run_for(SECOND * 6);
            assert!(network.sent_to(client).is_empty(), "{why}");
        }
        let good = crate::support::search("upnp:rootdevice", 1);
        network.inject(lan, client, group(), good);
        network.run_for(SECOND * 2);
        assert_eq!(network.sent_to(client).len(), 1, "after {why}");
    }
}

#[test]
fn the_fuzz_seeds_are_the_malformed_list() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/message");
    if std::env::var_os("JELLYNET_WRITE_SEEDS").is_some() {
        for (why, bytes) in malformed() {
            std::fs::write(seeds.join(why.replace(' ', "-")), bytes).unwrap();
        }
    }
    for (why, bytes) in malformed() {
        let seed = std::fs::read(seeds.join(why.replace(' ', "-")));
        assert_eq!(seed.ok(), Some(bytes), "{why}");
    }
}

#[test]
fn searches_of_every_style_are_read() {
    let quoted = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n";
    for (why, text) in [
        ("by the book", quoted.to_owned()),
        ("MAN without quotes", quoted.replace('"', "")),
        ("lower case", quoted.to_ascii_lowercase()),
        ("line feeds alone", quoted.replace('\r', "")),
        ("no blank line at the end", quoted.trim_end().to_owned()),
        ("no spaces", quoted.replace(": ", ":")),
        ("many spaces", quoted.replace(": ", " \t : \t ")),
        ("version 1.0", quoted.replace("HTTP/1.1", "HTTP/1.0")),
        ("two spaces in the start line", quoted.replace(" * ", "  *  ")),
        ("HOST of VLC", quoted.replace("239.255.255.250", "[FF05::C]")),
        ("HOST with a zone", quoted.replace("239.255.255.250", "[FF02::C%2]")),
        ("HOST without the port", quoted.replace(":1900", "")),
        ("HOST of the device alone", quoted.replace("239.255.255.250", "10.77.1.1")),
        ("HOST without brackets", quoted.replace("239.255.255.250", "ff02::c")),
        ("no HOST", quoted.replace("HOST: 239.255.255.250:1900\r\n", "")),
        ("a body", format!("{quoted}rubbish\0\u{7}")),
        (
            "unknown headers",
            quoted.replace("\r\nST:", "\r\nCPFN.UPNP.ORG: \u{7}x\r\nTCPPORT.UPNP.ORG: 1\r\nST:"),
        ),
        ("a folded unknown header", quoted.replace("\r\nST:", "\r\nX: y\r\n z\r\nST:")),
        (
            "ST twice",
            format!(
                "{}ST: upnp:rootdevice\r\n\r\n",
                quoted.trim_end_matches("\r\n").to_owned() + "\r\n"
            ),
        ),
    ] {
        let parsed = Message::parse(text.as_bytes());
        let Ok(Message::Search(search)) = parsed else {
            panic!("{why}: {parsed:?}");
        };
        assert_eq!((search.mx, search.target.as_str()), (Some(1), "ssdp:all"), "{why}");
    }
}

#[test]
fn ids_are_decimal_and_a_search_port_is_one_that_may_be() {
    let read = |name: &str, value: &str| {
        let text =
            format!("HTTP/1.1 200 OK\r\nST: a\r\nUSN: b\r\n{name}.UPNP.ORG: {value}\r\n\r\n");
        let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else { panic!() };
        let details = response.details;
        match name {
            "BOOTID" => details.boot_id,
            "NEXTBOOTID" => details.next_boot_id,
            "CONFIGID" => details.config_id,
            _ => details.search_port.map(u32::from),
        }
    };
    for name in ["BOOTID", "NEXTBOOTID", "CONFIGID"] {
        // UPnP Device Architecture 2.0 § 1.2.2: a recipient ignores leading zeros.
        for (value, expected) in [("0", Some(0)), ("007", Some(7)), ("2147483647", Some(i32::MAX))]
        {
            assert_eq!(read(name, value), expected.map(i32::cast_unsigned), "{name}: {value}");
        }
        for value in ["+7", "-7", "7.0", "0x7", "7 7", "99999999999"] {
            assert_eq!(read(name, value), None, "{name}: {value}");
        }
    }
    for (value, expected) in [
        ("49152", Some(49152)),
        ("049152", Some(49152)),
        ("65535", Some(65535)),
        ("49151", None),
        ("1900", None),
        ("53", None),
        ("0", None),
        ("65536", None),
    ] {
        assert_eq!(read("SEARCHPORT", value), expected, "{value}");
    }
}

#[test]
fn a_server_line_that_is_not_utf8_costs_only_itself() {
    let mut bytes =
        b"HTTP/1.1 200 OK\r\nST: a\r\nUSN: b\r\nSERVER: \xff\xfe\r\nLOCATION: http://x/\r\n\r\n"
            .to_vec();
    let Ok(Message::Response(response)) = Message::parse(&bytes) else {
        panic!();
    };
    assert_eq!(response.details.server, None);
    assert_eq!(response.details.location.unwrap().as_str(), "http://x/");
    bytes.truncate(20);
    assert_eq!(Message::parse(&bytes), Err(ParseMessageError::Missing { name: "ST" }));
}

#[test]
fn no_name_can_smuggle_in_a_header() {
    for (text, expected) in [
        ("", FieldValueError::Empty),
        ("a\r\nLOCATION: http://evil/", FieldValueError::Control { at: 1 }),
        ("a\nb", FieldValueError::Control { at: 1 }),
        ("a\0", FieldValueError::Control { at: 1 }),
        ("a\u{85}b", FieldValueError::Control { at: 1 }),
        (" a", FieldValueError::Space),
        ("a\u{a0}", FieldValueError::Space),
        (&"a".repeat(1025), FieldValueError::TooLong { len: 1025 }),
    ] {
        assert_eq!(FieldValue::new(text), Err(expected));
    }
    assert!(FieldValue::new("Björns Wohnzimmer – Jellyfin").is_ok());
}

fn value() -> impl Strategy<Value = String> {
    "[!-~]([ -~äß😀]{0,40}[!-~])?".prop_filter("fits", |text| FieldValue::new(text).is_ok())
}

fn field(text: &str) -> FieldValue<'_> {
    FieldValue::new(text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_is_read_the_same(
        texts in proptest::array::uniform4(value()),
        location in proptest::option::of(value()),
        ids in proptest::array::uniform5(proptest::option::of(any::<u32>())),
        port in proptest::option::of(49152_u16..),
        kind in proptest::sample::select(vec![NotifyKind::Alive, NotifyKind::Update, NotifyKind::ByeBye]),
    ) {
        let [a, b, c, d] = &texts;
        let [max_age, boot_id, next_boot_id, config_id, nls] = ids;
        let details = Details {
            max_age,
            location: location.as_deref().map(field),
            server: Some(field(c)),
            boot_id,
            next_boot_id,
            config_id,
            search_port: port,
            nls,
        };
        let plain = Details { max_age: max_age.filter(|_| kind == NotifyKind::Alive), ..details };
        let messages = [
            Message::from(Search { host: Some(field(a)), mx: max_age, target: field(b), user_agent: Some(field(d)) }),
            Message::from(Notify { host: Some(field(a)), kind, target: field(b), usn: field(d), details: plain }),
            Message::from(Response { target: field(b), usn: field(d), details }),
        ];
        for message in messages {
            let bytes = message.encode();
            prop_assert_eq!(Message::parse(&bytes), Ok(message));
            // Nothing that was given has become a line of its own.
            let text = std::str::from_utf8(&bytes).unwrap();
            let lines = text.strip_suffix("\r\n\r\n").unwrap().split("\r\n");
            for line in lines.skip(1) {
                let name = line.split(':').next().unwrap();
                prop_assert!(name.bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'.' | b'0' | b'1')), "{}", line);
            }
        }
    }

    #[test]
    fn hostile_bytes_are_a_message_or_an_error(bytes in jellynet_test::hostile::datagram(crate::golden::all())) {
        if let Ok(message) = Message::parse(&bytes) {
            // What was read can be written, and means the same.
            let again = message.encode();
            prop_assert!(again.len() <= 16 * (MAX_FIELD_VALUE + 32));
            prop_assert_eq!(Message::parse(&again).map(kind_of), Ok(kind_of(message)));
        }
    }
}

fn kind_of(message: Message<'_>) -> (u8, String) {
    match message {
        Message::Search(s) => (0, s.target.to_string()),
        Message::Notify(n) => (1, n.usn.to_string()),
        Message::Response(r) => (2, r.usn.to_string()),
        _ => panic!("{message:?}"),
    }
}
