//! A whole response, read at once and in pieces: both must come to the same, whatever the bytes.
//!
//! The first byte says what was asked, the second how long a piece is.

#![cfg_attr(fuzzing, no_main)]

use jellynet_upstream::fuzzing::read_response;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [asked, piece, bytes @ ..] = bytes else {
        return;
    };
    let method = ["GET", "HEAD", "POST"][usize::from(*asked % 3)];
    let upgrade = *asked >= 128;
    let whole = read_response(method, upgrade, bytes, usize::MAX);
    let pieces = read_response(method, upgrade, bytes, usize::from(*piece).max(1));
    assert_eq!(whole, pieces);
    assert!(whole.body.len() <= bytes.len(), "a body is never longer than what came");
});
