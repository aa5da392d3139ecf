//! By which interface and from which address a datagram leaves: one control message.

use std::net::IpAddr;

// linux/in.h, linux/in6.h
const IPPROTO_IP: i32 = 0;
const IP_PKTINFO: i32 = 8;
const IPPROTO_IPV6: i32 = 41;
const IPV6_PKTINFO: i32 = 50;

/// `struct cmsghdr`: a length of the size of a pointer, a level and a type.
const HEADER: usize = size_of::<usize>() + 8;
/// The longer of `struct in_pktinfo` (12) and `struct in6_pktinfo` (20).
const LONGEST: usize = HEADER + 20;

/// A `cmsghdr` with `in_pktinfo` (`ip(7)`) or `in6_pktinfo` (RFC 3542 § 6.2).
///
/// Built here because quinn-udp leaves out the interface, so that a reply could leave by another
/// one than the question came by; and adds the type of service, with which the message no longer
/// fits what the kernel keeps at hand for it.
pub(super) struct PacketInfo {
    bytes: [u8; LONGEST],
    length: usize,
}

impl PacketInfo {
    pub(super) fn new(source: IpAddr, interface: u32) -> Self {
        let mut info = Self { bytes: [0; LONGEST], length: 0 };
        let index = interface.to_ne_bytes();
        match source {
            IpAddr::V4(ip) => {
                info.header(12, IPPROTO_IP, IP_PKTINFO);
                info.push(&index);
                info.push(&ip.octets());
                info.push(&[0; 4]);
            }
            IpAddr::V6(ip) => {
                info.header(20, IPPROTO_IPV6, IPV6_PKTINFO);
                info.push(&ip.octets());
                info.push(&index);
            }
        }
        info
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn header(&mut self, data: usize, level: i32, kind: i32) {
        self.push(&(HEADER + data).to_ne_bytes());
        self.push(&level.to_ne_bytes());
        self.push(&kind.to_ne_bytes());
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_length_is_the_real_one() {
        for (source, data) in [("10.77.1.1", 12), ("fd77::1", 20)] {
            let info = PacketInfo::new(source.parse().unwrap(), 7);
            let bytes = info.as_bytes();
            let (length, _) = bytes.split_at(size_of::<usize>());
            assert_eq!(usize::from_ne_bytes(length.try_into().unwrap()), bytes.len());
            assert_eq!(bytes.len(), HEADER + data);
        }
    }
}
