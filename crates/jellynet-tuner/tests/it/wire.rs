//! The codec against golden packets and hostile bytes.

use jellynet_tuner::DeviceId;
use jellynet_tuner::wire::{
    DecodeError, DeviceType, DiscoverReply, DiscoverRequest, Frame, FrameDecoder, GetSetReply,
    GetSetRequest, PacketType, RequestForm, TlvWriter, Tlvs, tag,
};
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Taken from the wire of the vendor's clients of 2022 and later, and computed with zlib.
const DISCOVERIES: [(&str, RequestForm, &[u32]); 4] = [
    ("0002000c 0104ffffffff 0204ffffffff 73cc7d8f", RequestForm::Old, &[]),
    ("0002000c 010400000001 0204ffffffff 4e507f35", RequestForm::Old, &[1]),
    ("00020006 0104ffffffff 4c20cb4e", RequestForm::New, &[]),
    ("0002000a 2d08 00000001 00000005 4f63391f", RequestForm::New, &[1, 5]),
];

#[test]
fn discovery_requests_are_those_of_the_vendors_clients() {
    for (hex, form, types) in DISCOVERIES {
        let request =
            DiscoverRequest { types: types.iter().map(|t| DeviceType(*t)).collect(), id: None };
        assert_eq!(request.encode(form), bytes(hex), "{hex}");
        let frame = Frame::decode(&bytes(hex)).unwrap();
        assert_eq!(DiscoverRequest::decode(&frame).unwrap(), request, "{hex}");
    }
}

#[test]
fn control_requests_are_those_of_the_vendors_clients() {
    for (hex, request) in [
        ("0004000d 030b 2f7379732f6d6f64656c00 8f5b54b5", GetSetRequest::get("/sys/model")),
        (
            "0004001a 0310 2f74756e6572302f6c6f636b6b657900 0406 313233343500 3e87a357",
            GetSetRequest::set("/tuner0/lockkey", "12345"),
        ),
        (
            "00040032 030f 2f74756e6572302f74617267657400 0419 \
             7274703a2f2f3139322e3136382e312e31303a343931353200 1504 00003039 580c440e",
            GetSetRequest::set("/tuner0/target", "rtp://192.168.1.10:49152").with_lock_key(12345),
        ),
    ] {
        assert_eq!(request.encode().unwrap(), bytes(hex));
        let frame = Frame::decode(&bytes(hex)).unwrap();
        assert_eq!(GetSetRequest::decode(&frame).unwrap(), request);
    }
}

#[test]
fn a_long_answer_has_a_two_byte_length() {
    let reply = GetSetReply::value("/tuner0/streaminfo", "1: 5.1 X\n".repeat(40));
    let packet = reply.encode().unwrap();
    assert_eq!(packet[25..28], [0x04, 0xE9, 0x02], "361 bytes with the NUL");
    assert_eq!(GetSetReply::decode(&Frame::decode(&packet).unwrap()).unwrap(), reply);
}

#[test]
fn values_are_found_in_any_order_and_unknown_ones_are_skipped() {
    let payload = TlvWriter::new()
        .bytes(0x63, &[1, 2, 3])
        .c_text(tag::GETSET_VALUE, "none")
        .bytes(0x64, &[0; 300])
        .c_text(tag::GETSET_NAME, "/tuner0/target")
        .finish()
        .unwrap();
    let kind = PacketType::GETSET_REPLY;
    let reply = GetSetReply::decode(&Frame { kind, payload }).unwrap();
    assert_eq!(reply, GetSetReply::value("/tuner0/target", "none"));
}

#[test]
fn a_modern_reply_keeps_its_secret_out_of_debug_output() {
    let payload = TlvWriter::new()
        .u32(tag::DEVICE_ID, 0x1322_F2F9)
        .bytes(tag::MULTI_TYPE, &[0, 0, 0, 1, 0, 0, 0, 5])
        .bytes(tag::DEVICE_AUTH_BIN, b"\xFB\xEF\xBE\x00\x10\x83secretsecret")
        .bytes(tag::BASE_URL, b"http://10.0.0.5:80")
        .bytes(tag::TUNER_COUNT, &[4])
        .finish()
        .unwrap();
    let kind = PacketType::DISCOVER_REPLY;
    let reply = DiscoverReply::decode(&Frame { kind, payload }).unwrap();
    assert_eq!(reply.types, [DeviceType::TUNER, DeviceType::STORAGE]);
    assert_eq!((reply.id, reply.tuner_count), (Some(DeviceId::from_wire(0x1322_F2F9)), Some(4)));
    assert_eq!(reply.auth.as_ref().unwrap().expose(), "----ABCDc2VjcmV0c2VjcmV0");
    assert!(!format!("{reply:?}").contains("c2Vj"));
}

#[test]
fn every_cut_and_every_damaged_byte_is_noticed() {
    let packet = bytes(DISCOVERIES[1].0);
    for length in 0..packet.len() {
        let cut = Frame::decode(&packet[..length]);
        assert_eq!(cut, Err(DecodeError::Short { have: length }));
    }
    for index in 0..packet.len() {
        let mut damaged = packet.clone();
        damaged[index] ^= 0x10;
        assert!(Frame::decode(&damaged).is_err(), "{index}");
    }
    let mut long = packet;
    long.push(0);
    assert_eq!(Frame::decode(&long), Err(DecodeError::Trailing { extra: 1 }));
}

#[test]
fn a_stream_is_put_together_however_it_is_cut() {
    let packets = [
        GetSetReply::value("/tuner0/status", "ch=none").encode().unwrap(),
        GetSetReply::error("/tuner0/target", "ERROR: tuner busy").encode().unwrap(),
    ];
    let stream = packets.concat();
    for piece in [1, 2, 3, 7, stream.len()] {
        let mut decoder = FrameDecoder::new();
        let mut replies = Vec::new();
        for piece in stream.chunks(piece) {
            decoder.push(piece);
            while let Some(frame) = decoder.next_frame().unwrap() {
                replies.push(GetSetReply::decode(&frame).unwrap());
            }
        }
        assert_eq!(replies.len(), 2, "{piece}");
        assert_eq!(replies[1].error.as_deref(), Some("ERROR: tuner busy"));
        assert_eq!(decoder.pending(), 0);
    }
}

#[test]
fn an_endless_packet_is_refused_before_it_is_collected() {
    let mut decoder = FrameDecoder::new();
    decoder.push(&[0, 5, 0xFF, 0xFF]);
    assert_eq!(decoder.next_frame(), Err(DecodeError::TooLong { length: 0xFFFF }));
}

fn text() -> impl Strategy<Value = String> {
    "[ -~]{0,300}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn requests_survive_the_round_trip(
        name in text(), value in proptest::option::of(text()), key in proptest::option::of(1_u32..),
    ) {
        let request = GetSetRequest { name, value, lock_key: key };
        let packet = request.encode().unwrap();
        let stated = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        prop_assert_eq!(stated + 8, packet.len());
        prop_assert_eq!(GetSetRequest::decode(&Frame::decode(&packet).unwrap()).unwrap(), request);
    }

    #[test]
    fn hostile_bytes_never_panic_and_what_is_read_can_be_written(
        payload in proptest::collection::vec(any::<u8>(), 0..400), kind in 2_u16..7,
    ) {
        let _ = Frame::decode(&payload);
        let mut decoder = FrameDecoder::new();
        decoder.push(&payload);
        let _ = decoder.next_frame();
        let read: usize = Tlvs::new(&payload).flatten().map(|tlv| tlv.value.len()).sum();
        prop_assert!(read <= payload.len());
        let frame = Frame { kind: PacketType(kind), payload: payload.into() };
        if let Ok(reply) = GetSetReply::decode(&frame) {
            let again = GetSetReply::decode(&Frame::decode(&reply.encode().unwrap()).unwrap());
            prop_assert_eq!(again, Ok(reply));
        }
        if let Ok(request) = DiscoverRequest::decode(&frame) {
            for form in [RequestForm::Old, RequestForm::New] {
                prop_assert!(Frame::decode(&request.encode(form)).is_ok());
            }
        }
        if let Ok(reply) = DiscoverReply::decode(&frame) {
            let again = DiscoverReply::decode(&Frame::decode(&reply.encode().unwrap()).unwrap());
            prop_assert_eq!(again, Ok(reply));
        }
    }
}
