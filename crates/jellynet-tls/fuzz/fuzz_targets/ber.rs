//! Any bytes as the inside of the outermost element, of indefinite and of definite length.

#![cfg_attr(fuzzing, no_main)]

use jellynet_tls::{Loader, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let loader = Loader::new(jellynet_tls::default_provider());
    let now = Timestamp::from_unix(1_800_000_000);
    let indefinite = [b"\x30\x80\x02\x01\x03", bytes, b"\0\0"].concat();
    let _ = loader.decode(&indefinite, None, now);
    let _ = loader.decode(bytes, None, now);
});
