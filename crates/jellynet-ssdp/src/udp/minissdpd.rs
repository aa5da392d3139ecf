//! Registers devices with `minissdpd`, which answers searches for others.

use std::io;
use std::path::Path;

/// Where `minissdpd` listens for programs of this host.
pub const MINISSDPD_SOCKET: &str = "/run/minissdpd.sock";

/// The request "register a service".
const REGISTER: u8 = 4;

/// The request that registers `ST`, `USN`, `SERVER` and `LOCATION`.
fn encode(registration: &[String; 4]) -> Vec<u8> {
    let mut request = vec![REGISTER];
    for text in registration {
        encode_length(&mut request, text.len());
        request.extend_from_slice(text.as_bytes());
    }
    request
}

/// Seven bits per byte, the highest first; all but the last byte have the top bit set.
fn encode_length(out: &mut Vec<u8>, length: usize) {
    let groups = (1..10).rev().filter(|group| length >> (7 * group) != 0);
    for group in groups {
        out.push(0x80 | low_bits(length >> (7 * group)));
    }
    out.push(low_bits(length));
}

fn low_bits(number: usize) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or(0)
}

/// Registers each, in a connection of its own: the daemon reads one request at a time.
#[cfg(unix)]
pub(super) async fn register(socket: &Path, registrations: &[[String; 4]]) -> io::Result<()> {
    use tokio::io::AsyncWriteExt;

    for registration in registrations {
        let mut stream = tokio::net::UnixStream::connect(socket).await?;
        stream.write_all(&encode(registration)).await?;
        stream.shutdown().await?;
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) async fn register(_: &Path, registrations: &[[String; 4]]) -> io::Result<()> {
    let _ = registrations.iter().map(encode);
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_groups_of_seven_bits() {
        for (length, expected) in [
            (0_usize, vec![0_u8]),
            (127, vec![0x7f]),
            (128, vec![0x81, 0]),
            (300, vec![0x82, 0x2c]),
            (16384, vec![0x81, 0x80, 0]),
        ] {
            let mut out = Vec::new();
            encode_length(&mut out, length);
            assert_eq!(out, expected, "{length}");
        }
        let one = ["a", "bc", "", "d"].map(str::to_owned);
        assert_eq!(encode(&one), b"\x04\x01a\x02bc\x00\x01d");
    }
}
