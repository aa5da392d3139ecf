//! Any bytes behind a PEM section, so that the text is always taken for PEM.

#![cfg_attr(fuzzing, no_main)]

use jellynet_tls::{Loader, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let loader = Loader::new(jellynet_tls::default_provider());
    let text = [b"-----BEGIN X-----\nAAAA\n-----END X-----\n", bytes].concat();
    let _ = loader.decode(&text, Some("x"), Timestamp::from_unix(1_800_000_000));
});
