//! A body in chunks, read at once and in pieces.
//!
//! The first byte says how long a piece is.

#![cfg_attr(fuzzing, no_main)]

use jellynet_upstream::fuzzing::read_response;
use libfuzzer_sys::fuzz_target;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

fuzz_target!(|bytes: &[u8]| {
    let [piece, bytes @ ..] = bytes else {
        return;
    };
    let bytes = [HEAD, bytes].concat();
    let whole = read_response("GET", false, &bytes, usize::MAX);
    let pieces = read_response("GET", false, &bytes, usize::from(*piece).max(1));
    assert_eq!(whole, pieces);
    assert_eq!(whole.status, Some(200));
});
