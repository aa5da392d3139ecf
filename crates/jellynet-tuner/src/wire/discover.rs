//! Asking who is there, and the answer.

use std::fmt;

use bytes::Bytes;

use super::frame::{DecodeError, EncodeError, Frame, PacketType};
use super::tlv::{Tlv, TlvWriter, Tlvs, tag};
use crate::device_id::DeviceId;

/// What kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceType(pub u32);

impl DeviceType {
    /// Receives television.
    pub const TUNER: Self = Self(1);
    /// Records it.
    pub const STORAGE: Self = Self(5);
    /// Any kind, in a request.
    pub const ANY: Self = Self(u32::MAX);
}

/// How a request is written; old firmware knows only the old form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestForm {
    /// Type and id, always: what every client sent until 2022.
    Old,
    /// The id only when one device is meant, several types in one tag: since October 2022.
    New,
}

/// Who is there?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverRequest {
    /// The kinds of device that shall answer; empty or [`DeviceType::ANY`] is any.
    pub types: Vec<DeviceType>,
    /// Only this device.
    pub id: Option<DeviceId>,
}

impl DiscoverRequest {
    /// Every tuner.
    #[must_use]
    pub fn tuners() -> Self {
        Self { types: vec![DeviceType::TUNER], id: None }
    }

    /// The device with this id.
    #[must_use]
    pub const fn device(id: DeviceId) -> Self {
        Self { types: Vec::new(), id: Some(id) }
    }

    /// Writes the packet. The old form knows no list of types: several become "any".
    #[must_use]
    pub fn encode(&self, form: RequestForm) -> Bytes {
        let mut payload = TlvWriter::new();
        payload = match (self.types.as_slice(), form) {
            ([], _) | ([_, _, ..], RequestForm::Old) => {
                payload.u32(tag::DEVICE_TYPE, DeviceType::ANY.0)
            }
            ([one], _) => payload.u32(tag::DEVICE_TYPE, one.0),
            (several, RequestForm::New) => {
                let list: Vec<u8> = several.iter().flat_map(|t| t.0.to_be_bytes()).collect();
                payload.bytes(tag::MULTI_TYPE, &list)
            }
        };
        match (self.id, form) {
            (Some(id), _) => payload = payload.u32(tag::DEVICE_ID, id.get()),
            (None, RequestForm::Old) => payload = payload.u32(tag::DEVICE_ID, DeviceId::ANY.get()),
            (None, RequestForm::New) => {}
        }
        let frame = payload.finish().and_then(|payload| {
            let kind = PacketType::DISCOVER_REQUEST;
            Frame { kind, payload }.encode()
        });
        // Only a list of hundreds of types could fail, and there are two.
        frame.unwrap_or_default()
    }

    /// Reads the packet's values; unknown tags are skipped.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is another packet or is malformed.
    pub fn decode(frame: &Frame) -> Result<Self, DecodeError> {
        frame.expect(PacketType::DISCOVER_REQUEST)?;
        let (mut types, mut id) = (Vec::new(), None);
        for tlv in Tlvs::new(&frame.payload) {
            let tlv = tlv?;
            match tlv.tag {
                tag::DEVICE_TYPE => types.push(DeviceType(tlv.u32()?)),
                tag::MULTI_TYPE => types.extend(type_list(&tlv)?),
                tag::DEVICE_ID => id = Some(DeviceId::from_wire(tlv.u32()?)),
                _ => {}
            }
        }
        if types.contains(&DeviceType::ANY) {
            types.clear();
        }
        Ok(Self { types, id: id.filter(|id| *id != DeviceId::ANY) })
    }

    /// Whether a device of this type and id is asked.
    #[must_use]
    pub fn matches(&self, kind: DeviceType, id: DeviceId) -> bool {
        (self.types.is_empty() || self.types.contains(&kind)) && self.id.is_none_or(|i| i == id)
    }
}

fn type_list(tlv: &Tlv<'_>) -> Result<Vec<DeviceType>, DecodeError> {
    let (list, rest) = tlv.value.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(DecodeError::ValueLength { tag: tlv.tag, length: tlv.value.len() });
    }
    Ok(list.iter().map(|b| DeviceType(u32::from_be_bytes(*b))).collect())
}

/// A device's secret towards its vendor's service. Neither `Debug` nor anything else prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceAuth(String);

impl DeviceAuth {
    /// Wraps the secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself.
    ///
    /// # Security
    ///
    /// Whoever has it can use the vendor's guide service in the owner's name.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The deprecated binary form: base64url of 18 bytes.
    fn from_binary(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (groups, rest) = tlv.value.as_chunks::<3>();
        if groups.len() != 6 || !rest.is_empty() {
            return Err(DecodeError::ValueLength { tag: tlv.tag, length: tlv.value.len() });
        }
        let text = groups.iter().flat_map(|[a, b, c]| {
            let bits = u32::from_be_bytes([0, *a, *b, *c]);
            [18, 12, 6, 0].map(|shift| {
                let index = usize::try_from((bits >> shift) & 0x3F).unwrap_or_default();
                char::from(ALPHABET.get(index).copied().unwrap_or(b'A'))
            })
        });
        Ok(Self(text.collect()))
    }
}

impl fmt::Debug for DeviceAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceAuth(…)")
    }
}

/// I am here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoverReply {
    /// What the device is; a recorder with tuners is both.
    pub types: Vec<DeviceType>,
    /// Its id; a recorder may have none.
    pub id: Option<DeviceId>,
    /// How many tuners; missing from old firmware.
    pub tuner_count: Option<u8>,
    /// The root of its HTTP API; missing from old firmware.
    pub base_url: Option<String>,
    /// Where its channel list is.
    pub lineup_url: Option<String>,
    /// Where a recorder keeps its list.
    pub storage_url: Option<String>,
    /// The recorder's own id.
    pub storage_id: Option<String>,
    /// The secret towards the vendor's service.
    pub auth: Option<DeviceAuth>,
}

impl DiscoverReply {
    /// The least that a tuner answers, and all that the oldest firmware does.
    #[must_use]
    pub fn tuner(id: DeviceId) -> Self {
        Self {
            types: vec![DeviceType::TUNER],
            id: Some(id),
            tuner_count: None,
            base_url: None,
            lineup_url: None,
            storage_url: None,
            storage_id: None,
            auth: None,
        }
    }

    /// Writes the packet.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when the values do not fit one packet.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut payload = TlvWriter::new();
        payload = match self.types.as_slice() {
            [one] => payload.u32(tag::DEVICE_TYPE, one.0),
            several => {
                let list: Vec<u8> = several.iter().flat_map(|t| t.0.to_be_bytes()).collect();
                payload.bytes(tag::MULTI_TYPE, &list)
            }
        };
        if let Some(id) = self.id {
            payload = payload.u32(tag::DEVICE_ID, id.get());
        }
        if let Some(count) = self.tuner_count {
            payload = payload.bytes(tag::TUNER_COUNT, &[count]);
        }
        let texts = [
            (tag::BASE_URL, self.base_url.as_deref()),
            (tag::LINEUP_URL, self.lineup_url.as_deref()),
            (tag::STORAGE_URL, self.storage_url.as_deref()),
            (tag::STORAGE_ID, self.storage_id.as_deref()),
            (tag::DEVICE_AUTH_STR, self.auth.as_ref().map(DeviceAuth::expose)),
        ];
        for (tag, text) in texts {
            if let Some(text) = text {
                payload = payload.bytes(tag, text.as_bytes());
            }
        }
        let frame = Frame { kind: PacketType::DISCOVER_REPLY, payload: payload.finish()? };
        frame.encode()
    }

    /// Reads the packet's values; unknown tags are skipped.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is another packet or is malformed.
    pub fn decode(frame: &Frame) -> Result<Self, DecodeError> {
        frame.expect(PacketType::DISCOVER_REPLY)?;
        let mut reply = Self::tuner(DeviceId::ANY);
        reply.types.clear();
        reply.id = None;
        for tlv in Tlvs::new(&frame.payload) {
            reply.take(&tlv?)?;
        }
        Ok(reply)
    }

    fn take(&mut self, tlv: &Tlv<'_>) -> Result<(), DecodeError> {
        match tlv.tag {
            tag::DEVICE_TYPE => self.types.push(DeviceType(tlv.u32()?)),
            tag::MULTI_TYPE => self.types.extend(type_list(tlv)?),
            tag::DEVICE_ID => self.id = Some(DeviceId::from_wire(tlv.u32()?)),
            tag::TUNER_COUNT => self.tuner_count = tlv.value.first().copied(),
            tag::BASE_URL => self.base_url = Some(tlv.text()),
            tag::LINEUP_URL => self.lineup_url = Some(tlv.text()),
            tag::STORAGE_URL => self.storage_url = Some(tlv.text()),
            tag::STORAGE_ID => self.storage_id = Some(tlv.text()),
            tag::DEVICE_AUTH_STR => self.auth = Some(DeviceAuth(tlv.text())),
            // The text form wins, whichever comes first.
            tag::DEVICE_AUTH_BIN if self.auth.is_none() => {
                self.auth = Some(DeviceAuth::from_binary(tlv)?);
            }
            _ => {}
        }
        Ok(())
    }
}
