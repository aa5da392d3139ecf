//! The laws E1–E6.

use std::time::Instant;

use jellynet_discovery::{
    Answer, Identity, Responder, ResponderConfig, Seeker, SeekerConfig, ServerId,
};
use jellynet_test::laws::{self, Subject};

/// What real clients send.
pub(crate) fn questions() -> Vec<Vec<u8>> {
    [
        "who is JellyfinServer?",
        "Who is JellyfinServer?",
        "Who is Jellyfin Server?",
        "\u{feff}who is JellyfinServer?\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// What real servers answer: Jellyfin 10.10 and one with a port of its own.
pub(crate) fn answers() -> Vec<Vec<u8>> {
    [
        r#"{"Address":"http://192.168.1.20:8096","Id":"8a1cd2e3f4a5b6c7d8e9f0a1b2c3d4e5","Name":"den","EndpointAddress":null}"#,
        r#"{"Address":"http://10.0.0.5:8096/base","Id":"00112233445566778899aabbccddeeff","Name":"S\u00e9jour","Port":8096}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

struct AResponder;

impl Subject for AResponder {
    type Engine = Responder;

    fn engine(&self, _now: Instant, _seed: u64) -> Responder {
        let identity = |byte: u8| {
            let id = ServerId::from_bytes([byte; 16]);
            Identity::new(id, format!("Server {byte}"), |asker| Some(asker.http(8096)))
        };
        Responder::new(ResponderConfig::default())
            .with_identity(identity(1))
            .with_identity(identity(2))
    }

    fn golden(&self) -> Vec<Vec<u8>> {
        questions().into_iter().chain(answers()).collect()
    }

    fn reply_limit(&self) -> usize {
        let id = ServerId::from_bytes([1; 16]).to_string();
        let longest = Answer::new("http://[fd77:1::1]:8096", id, "Server 1");
        2 * longest.encode().unwrap().len()
    }
}

struct ASeeker;

impl Subject for ASeeker {
    type Engine = Seeker;

    fn engine(&self, _now: Instant, _seed: u64) -> Seeker {
        Seeker::new(SeekerConfig::default().with_own([ServerId::from_bytes([1; 16])]))
    }

    fn golden(&self) -> Vec<Vec<u8>> {
        answers()
    }

    fn reply_limit(&self) -> usize {
        0
    }
}

#[test]
fn the_responder_keeps_the_laws() {
    laws::check(&AResponder);
}

#[test]
fn the_seeker_keeps_the_laws() {
    laws::check(&ASeeker);
}
