//! Any bytes as the inside of the outermost element, of indefinite and of definite length,
//! with few rounds allowed so that each run is short.

#![cfg_attr(fuzzing, no_main)]

use jellynet_tls::{Limits, Loader, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut limits = Limits::DEFAULT;
    limits.rounds_each = 4096;
    limits.rounds_total = 16_384;
    limits.scrypt_bytes = 1 << 20;
    let loader = Loader::new(jellynet_tls::default_provider()).with_limits(limits);
    let now = Timestamp::from_unix(1_800_000_000);
    let indefinite = [b"\x30\x80\x02\x01\x03", bytes, b"\0\0"].concat();
    let _ = loader.decode(&indefinite, None, now);
    let _ = loader.decode(bytes, None, now);
});
