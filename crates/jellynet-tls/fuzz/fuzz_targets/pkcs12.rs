//! Any bytes as a PKCS#12 file, with few rounds allowed so that each run is short.

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
    let _ = loader.decode(bytes, Some("test-Pass1"), now);
    let _ = loader.decode(bytes, None, now);
});
