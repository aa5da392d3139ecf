//! Any bytes as the start of a connection.

#![cfg_attr(fuzzing, no_main)]

use jellynet_forwarded::proxy_protocol::{MAX_LENGTH, Parsed, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match parse(bytes, MAX_LENGTH) {
    Ok(Parsed::Complete { header, length }) => {
        assert!(length <= bytes.len());
        let again = parse(&bytes[..length], MAX_LENGTH);
        assert_eq!(again, Ok(Parsed::Complete { header, length }));
        // Every start of it asks for more, and never for more than there is.
        for end in 0..length {
            match parse(&bytes[..end], MAX_LENGTH) {
                Ok(Parsed::Incomplete { need }) => assert!(end < need && need <= length),
                other => panic!("{other:?} at {end}"),
            }
        }
        let tlvs = header.tlvs();
        let _ = (tlvs.ssl(), tlvs.alpn(), tlvs.authority(), tlvs.count());
    }
    Ok(Parsed::Incomplete { need }) => {
        assert!(need > bytes.len() && need <= 16 + usize::from(MAX_LENGTH));
    }
    Err(_) => {}
});
