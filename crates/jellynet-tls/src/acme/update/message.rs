//! The messages of RFC 2136, signed after RFC 8945, as far as one TXT record needs them. Pure.

use std::fmt;

use subtle::ConstantTimeEq;

use super::key::TsigKey;

const SOA: u16 = 6;
const TXT: u16 = 16;
const TSIG: u16 = 250;
const IN: u16 = 1;
const NONE: u16 = 254;
const ANY: u16 = 255;

/// The opcode UPDATE (RFC 2136 § 1.3), at its place in the header.
const UPDATE: u16 = 5 << 11;
/// The header's bit of an answer that comes from the zone itself.
const AUTHORITATIVE: u16 = 1 << 10;
const HEADER: usize = 12;

/// By how many seconds the clocks may differ (RFC 8945 § 10).
const FUDGE: u16 = 300;

/// More jumps than a name has labels are a loop.
const MAX_JUMPS: usize = 128;

/// A domain name as it stands on the wire, in lower case and whole.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Name(Vec<u8>);

impl Name {
    /// `None` for what is no domain name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut wire = Vec::with_capacity(text.len() + 2);
        let text = text.strip_suffix('.').unwrap_or(text);
        for label in text.split('.').filter(|_| !text.is_empty()) {
            let length =
                u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
            if !label.bytes().all(|octet| octet.is_ascii_graphic()) {
                return None;
            }
            wire.push(length);
            wire.extend(label.bytes().map(|octet| octet.to_ascii_lowercase()));
        }
        wire.push(0);
        (wire.len() <= 255).then_some(Self(wire))
    }

    /// A name that is known to be one.
    pub(super) fn of(text: &'static str) -> Self {
        Self::parse(text).unwrap_or_else(|| Self(vec![0]))
    }

    /// Whether this is `zone` or below it.
    pub(super) fn is_in(&self, zone: &Self) -> bool {
        let mut rest = self.0.as_slice();
        loop {
            if rest == zone.0 {
                return true;
            }
            match rest.split_first() {
                Some((&length, after)) if length > 0 => {
                    rest = after.get(usize::from(length)..).unwrap_or_default();
                }
                _ => return false,
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_slice();
        let mut first = true;
        while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
            let (label, after) = after.split_at_checked(length.into()).unwrap_or((after, &[]));
            if !first {
                f.write_str(".")?;
            }
            first = false;
            f.write_str(&String::from_utf8_lossy(label))?;
            rest = after;
        }
        if first { f.write_str(".") } else { Ok(()) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// What is to happen to a TXT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is added, to be kept by others for so many seconds.
    Add {
        ttl: u32,
    },
    Remove,
}

/// Asks in which zone a name is.
pub(super) fn zone_of(id: u16, name: &Name) -> Vec<u8> {
    let mut message = header(id, 0, 0);
    question(&mut message, name);
    message
}

/// An update of RFC 2136 § 2; `None` if the value is longer than one string of a TXT record.
pub(super) fn update(
    id: u16,
    zone: &Name,
    name: &Name,
    value: &str,
    change: Change,
) -> Option<Vec<u8>> {
    let length = u8::try_from(value.len()).ok()?;
    let (class, ttl) = match change {
        Change::Add { ttl } => (IN, ttl),
        // RFC 2136 § 2.5.4: an RR from an RRset.
        Change::Remove => (NONE, 0),
    };
    let mut message = header(id, UPDATE, 1);
    question(&mut message, zone);
    message.extend_from_slice(&name.0);
    put(&mut message, &[TXT, class]);
    message.extend(ttl.to_be_bytes());
    put(&mut message, &[u16::from(length) + 1]);
    message.push(length);
    message.extend_from_slice(value.as_bytes());
    Some(message)
}

fn header(id: u16, flags: u16, records: u16) -> Vec<u8> {
    let mut message = Vec::with_capacity(256);
    put(&mut message, &[id, flags, 1, 0, records, 0]);
    message
}

fn question(message: &mut Vec<u8>, name: &Name) {
    message.extend_from_slice(&name.0);
    put(message, &[SOA, IN]);
}

fn put(message: &mut Vec<u8>, words: &[u16]) {
    message.extend(words.iter().flat_map(|word| word.to_be_bytes()));
}

/// Signs a message that has no additional records; gives the signature as well, for the answer's
/// begins with it.
pub(super) fn sign(message: &[u8], key: &TsigKey, now: u64) -> (Vec<u8>, Vec<u8>) {
    let signature = Signature { time: now, fudge: FUDGE, error: 0, other: Vec::new() };
    let mac = signature.mac(key, None, message);
    let mut signed = message.to_vec();
    if let Some(count) = signed.get_mut(10..HEADER) {
        count.copy_from_slice(&1_u16.to_be_bytes());
    }
    signed.extend_from_slice(&key.name().0);
    put(&mut signed, &[TSIG, ANY, 0, 0]);
    let mut data = key.algorithm().name().0;
    data.extend(signature.time_and_fudge());
    put(&mut data, &[u16::try_from(mac.len()).unwrap_or_default()]);
    data.extend_from_slice(&mac);
    data.extend_from_slice(message.get(..2).unwrap_or_default());
    put(&mut data, &[0, 0]);
    put(&mut signed, &[u16::try_from(data.len()).unwrap_or_default()]);
    signed.extend(data);
    (signed, mac)
}

/// What is signed besides the message (RFC 8945 § 4.3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    time: u64,
    fudge: u16,
    error: u16,
    other: Vec<u8>,
}

impl Signature {
    fn time_and_fudge(&self) -> Vec<u8> {
        let mut octets = self.time.to_be_bytes().get(2..).unwrap_or_default().to_vec();
        put(&mut octets, &[self.fudge]);
        octets
    }

    fn mac(&self, key: &TsigKey, request: Option<&[u8]>, message: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(message.len() + 256);
        if let Some(mac) = request {
            put(&mut text, &[u16::try_from(mac.len()).unwrap_or_default()]);
            text.extend_from_slice(mac);
        }
        text.extend_from_slice(message);
        text.extend_from_slice(&key.name().0);
        put(&mut text, &[ANY, 0, 0]);
        text.extend_from_slice(&key.algorithm().name().0);
        text.extend(self.time_and_fudge());
        put(&mut text, &[self.error, u16::try_from(self.other.len()).unwrap_or_default()]);
        text.extend_from_slice(&self.other);
        key.hmac(&text)
    }
}

/// What a name server answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) id: u16,
    /// RFC 1035 § 4.1.1 and RFC 2136 § 2.2.
    pub(super) code: u16,
    pub(super) authoritative: bool,
    /// The zone that the answer speaks of.
    pub(super) zone: Option<Name>,
    signature: Option<(Signature, Vec<u8>)>,
    /// All that is before the signature, as it was signed.
    unsigned: Vec<u8>,
}

impl Answer {
    /// `None` for what is no message.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { bytes, at: 0 };
        let (id, flags) = (reader.word()?, reader.word()?);
        let questions = reader.word()?;
        let counts = [reader.word()?, reader.word()?, reader.word()?];
        for _ in 0..questions {
            reader.name()?;
            reader.skip(4)?;
        }
        let mut answer = Self {
            id,
            code: flags & 0xf,
            authoritative: flags & AUTHORITATIVE != 0,
            zone: None,
            signature: None,
            unsigned: bytes.to_vec(),
        };
        for _ in 0..counts.iter().map(|count| u32::from(*count)).sum() {
            let before = reader.at;
            let (owner, kind) = (reader.name()?, reader.word()?);
            reader.skip(6)?;
            let length = reader.word()?;
            match kind {
                SOA => {
                    answer.zone.get_or_insert(owner);
                }
                TSIG => {
                    answer.signature = Some(reader.signature()?);
                    answer.unsigned.truncate(before);
                    let fewer = counts.last()?.checked_sub(1)?;
                    answer.unsigned.get_mut(10..HEADER)?.copy_from_slice(&fewer.to_be_bytes());
                    // RFC 8945 § 5.1: it is the last record, once.
                    return Some(answer);
                }
                _ => {}
            }
            reader.skip(length.into())?;
        }
        Some(answer)
    }

    /// The error in the signature, 0 for none (RFC 8945 § 3).
    pub(super) fn signature_error(&self) -> u16 {
        self.signature.as_ref().map_or(0, |(signature, _)| signature.error)
    }

    /// The server's clock, which it tells when it dislikes ours (RFC 8945 § 5.2.3).
    pub(super) fn server_time(&self) -> Option<u64> {
        let (signature, _) = self.signature.as_ref()?;
        let octets: [u8; 6] = signature.other.as_slice().try_into().ok()?;
        Some(octets.iter().fold(0, |time, octet| (time << 8) | u64::from(*octet)))
    }

    /// Whether who answers has the key as well, and answers this request.
    pub(super) fn is_signed_by(&self, key: &TsigKey, request: &[u8]) -> bool {
        self.signature.as_ref().is_some_and(|(signature, mac)| {
            signature.mac(key, Some(request), &self.unsigned).ct_eq(mac).into()
        })
    }
}

/// Takes values off the front; `None` where they end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(drop)
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A name, compressed or not (RFC 1035 § 4.1.4).
    fn name(&mut self) -> Option<Name> {
        let (mut wire, mut after) = (Vec::new(), None);
        let mut jumps = 0;
        loop {
            let length = *self.take(1)?.first()?;
            match length {
                0 => break,
                1..64 => {
                    wire.push(length);
                    let label = self.take(length.into())?.to_ascii_lowercase();
                    wire.extend(label);
                }
                0xc0.. => {
                    let low = *self.take(1)?.first()?;
                    after.get_or_insert(self.at);
                    self.at = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    jumps += 1;
                }
                _ => return None,
            }
            if jumps > MAX_JUMPS || wire.len() > 254 {
                return None;
            }
        }
        wire.push(0);
        if let Some(after) = after {
            self.at = after;
        }
        Some(Name(wire))
    }

    /// The data of a TSIG record (RFC 8945 § 4.2).
    fn signature(&mut self) -> Option<(Signature, Vec<u8>)> {
        self.name()?;
        let time = self.take(6)?.iter().fold(0, |time, octet| (time << 8) | u64::from(*octet));
        let fudge = self.word()?;
        let length = self.word()?;
        let mac = self.take(length.into())?.to_vec();
        self.word()?;
        let error = self.word()?;
        let length = self.word()?;
        let other = self.take(length.into())?.to_vec();
        Some((Signature { time, fudge, error, other }, mac))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::acme::update::key::TsigAlgorithm;

    fn key() -> TsigKey {
        TsigKey::new("jellynet", TsigAlgorithm::HmacSha256, "c2VjcmV0").unwrap()
    }

    #[test]
    fn names_are_told_from_what_is_none() {
        let name = Name::parse("_acme-challenge.TV.example.org.").unwrap();
        assert_eq!(name.to_string(), "_acme-challenge.tv.example.org");
        for (zone, inside) in
            [("example.org", true), ("tv.example.org", true), (".", true), ("ample.org", false)]
        {
            assert_eq!(name.is_in(&Name::parse(zone).unwrap()), inside, "{zone}");
        }
        let long = "a".repeat(64);
        for bad in ["a..b", &long, "a b", &"abc.".repeat(64)] {
            assert_eq!(Name::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_update_has_the_octets_of_the_specification() {
        let (zone, name) = (Name::parse("a.b").unwrap(), Name::parse("x.a.b").unwrap());
        let message = update(0x1234, &zone, &name, "hi", Change::Add { ttl: 60 }).unwrap();
        let expected = b"\x12\x34\x28\0\0\x01\0\0\0\x01\0\0\
            \x01a\x01b\0\0\x06\0\x01\
            \x01x\x01a\x01b\0\0\x10\0\x01\0\0\0\x3c\0\x03\x02hi";
        assert_eq!(message, expected);
        let message = update(0, &zone, &name, "hi", Change::Remove).unwrap();
        assert!(message.ends_with(b"\0\x10\0\xfe\0\0\0\0\0\x03\x02hi"));
        assert_eq!(update(0, &zone, &name, &"v".repeat(256), Change::Remove), None);
    }

    #[test]
    fn a_signature_is_read_as_it_was_written() {
        let message = zone_of(7, &Name::parse("example.org").unwrap());
        let (signed, mac) = sign(&message, &key(), 1_800_000_000);
        let answer = Answer::read(&signed).unwrap();
        assert_eq!(answer.unsigned, message);
        let (signature, read) = answer.signature.clone().unwrap();
        assert_eq!((signature.time, signature.fudge, read), (1_800_000_000, 300, mac));
        assert_eq!(answer.signature_error(), 0);
        assert!(!answer.is_signed_by(&key(), b"another request"));
    }

    #[test]
    fn names_that_point_at_themselves_end() {
        let mut message = header(1, 0, 0);
        message.extend([0xc0, 12, 0, 6, 0, 1]);
        assert_eq!(Answer::read(&message), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            records in any::<[u8; 2]>(),
        ) {
            let _ = Answer::read(&bytes);
            let mut message = vec![0, 0, 0x80, 0, 0, 0, records[0], records[1], 0, 0, 0, 1];
            message.extend(bytes);
            if let Some(answer) = Answer::read(&message) {
                let _ = (answer.server_time(), answer.is_signed_by(&key(), b""));
            }
        }
    }
}
