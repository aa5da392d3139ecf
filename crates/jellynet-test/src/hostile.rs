//! Bytes that nobody should send, as proptest strategies.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// The most that one UDP datagram over IPv4 carries (RFC 768, RFC 791).
pub const LARGEST: usize = 65_507;

/// Datagrams of every bad kind: [garbage], and well-formed ones (`golden`, as real devices sent
/// them) cut, stretched, doubled and with bytes changed.
pub fn datagram(golden: Vec<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    if golden.is_empty() {
        return garbage();
    }
    prop_oneof![
        2 => select(golden.clone()),
        3 => garbage(),
        8 => mutated(golden),
    ]
    .boxed()
}

/// Datagrams that are no message of any protocol: empty, one byte, the largest there can be,
/// all alike, random, and text that is not UTF-8.
pub fn garbage() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 1..4),
        vec(any::<u8>(), 4..600),
        any::<u8>().prop_map(|byte| vec![byte; LARGEST]),
        (0_usize..2_000).prop_map(|length| vec![0; length]),
        vec(select(&b"\xff\xfe\xc0\x80 \r\n:*\"{}"[..]), 1..200),
    ]
    .boxed()
}

/// Well-formed datagrams after an accident.
pub fn mutated(golden: Vec<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    (select(golden), vec(accident(), 1..4))
        .prop_map(|(mut bytes, accidents)| {
            for accident in accidents {
                accident.happen_to(&mut bytes);
                bytes.truncate(LARGEST);
            }
            bytes
        })
        .boxed()
}

#[derive(Clone, Debug)]
enum Accident {
    Cut(Index),
    Change(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    OtherCase,
}

fn accident() -> impl Strategy<Value = Accident> {
    prop_oneof![
        any::<Index>().prop_map(Accident::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Accident::Change(at, byte)),
        (any::<Index>(), vec(any::<u8>(), 1..40)).prop_map(|(at, new)| Accident::Insert(at, new)),
        (any::<Index>(), 1_usize..20).prop_map(|(at, length)| Accident::Remove(at, length)),
        (any::<Index>(), 2_usize..300).prop_map(|(at, times)| Accident::Repeat(at, times)),
        Just(Accident::OtherCase),
    ]
}

impl Accident {
    fn happen_to(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Cut(at) => bytes.truncate(at.index(length)),
            Self::Change(at, byte) => {
                if let Some(place) = bytes.get_mut(at.index(length)) {
                    *place = *byte;
                }
            }
            Self::Insert(at, new) => {
                let at = at.index(length);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = at.index(length);
                bytes.drain(at..length.min(at + count));
            }
            Self::Repeat(at, times) => {
                let tail = bytes.split_off(at.index(length));
                let times = (*times).min(LARGEST / tail.len().max(1));
                bytes.extend(tail.repeat(times.max(1)));
            }
            Self::OtherCase => bytes.make_ascii_uppercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn every_datagram_fits_into_one(bytes in datagram(vec![b"golden".to_vec(), vec![7; 900]])) {
            prop_assert!(bytes.len() <= LARGEST);
        }
    }
}
