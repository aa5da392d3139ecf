//! Hostile packets: nothing panics, and what is read can be written and read again.

#![cfg_attr(fuzzing, no_main)]

use jellynet_tuner::wire::{
    DiscoverReply, DiscoverRequest, Frame, FrameDecoder, GetSetReply, GetSetRequest, PacketType,
    RequestForm,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Frame::decode(bytes);
    let mut decoder = FrameDecoder::new();
    for piece in bytes.chunks(7) {
        decoder.push(piece);
        while let Ok(Some(_)) = decoder.next_frame() {}
    }
    for kind in 2..=5 {
        let frame = Frame { kind: PacketType(kind), payload: bytes.to_vec().into() };
        if let Ok(request) = GetSetRequest::decode(&frame)
            && let Ok(packet) = request.encode()
        {
            let again = Frame::decode(&packet).expect("our own packet");
            assert_eq!(GetSetRequest::decode(&again).as_ref(), Ok(&request));
        }
        if let Ok(reply) = GetSetReply::decode(&frame)
            && let Ok(packet) = reply.encode()
        {
            let again = Frame::decode(&packet).expect("our own packet");
            assert_eq!(GetSetReply::decode(&again).as_ref(), Ok(&reply));
        }
        if let Ok(request) = DiscoverRequest::decode(&frame) {
            let _ = request.encode(RequestForm::Old);
            let _ = request.encode(RequestForm::New);
        }
        if let Ok(reply) = DiscoverReply::decode(&frame) {
            let _ = reply.encode();
        }
    }
});
