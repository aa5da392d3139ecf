//! The parser: any bytes are a message or an error, and a message can be written and read again.

#![cfg_attr(fuzzing, no_main)]

use jellynet_ssdp::message::Message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = Message::parse(bytes) {
        let again = message.encode();
        assert!(Message::parse(&again).is_ok(), "{message:?}");
    }
});
