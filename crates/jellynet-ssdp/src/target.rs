//! What is looked for, and what there is.

use std::fmt;
use std::str::FromStr;

use crate::message::FieldValue;
use crate::uuid::Uuid;

/// What a search looks for: the value of `ST` (UPnP Device Architecture 2.0 § 1.3.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// `ssdp:all`: every device and every service.
    All,
    /// `upnp:rootdevice`: every root device.
    RootDevice,
    /// `uuid:…`: one device.
    Device(Uuid),
    /// `urn:…:device:…:v` or `urn:…:service:…:v`: a type, in this or a later version.
    Type(TypeName),
}

impl Target {
    /// Media servers of any version.
    #[must_use]
    pub fn media_servers() -> Self {
        Self::Type(TypeName::device("MediaServer", 1))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("ssdp:all"),
            Self::RootDevice => f.write_str("upnp:rootdevice"),
            Self::Device(uuid) => write!(f, "uuid:{uuid}"),
            Self::Type(name) => name.fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, ParseTargetError> {
        match Wanted::read(text).ok_or(ParseTargetError)? {
            Wanted::All => Ok(Self::All),
            Wanted::RootDevice => Ok(Self::RootDevice),
            Wanted::Device(uuid) => Ok(Self::Device(uuid)),
            Wanted::Type { .. } => Ok(Self::Type(text.parse()?)),
        }
    }
}

/// The text names nothing that can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a search target is ssdp:all, upnp:rootdevice, uuid:… or urn:domain:device|service:type:version"
)]
pub struct ParseTargetError;

/// The name of a device or service type with its version, such as
/// `urn:schemas-upnp-org:device:MediaServer:1`.
///
/// Versions are backward compatible: who supports 2 supports 1 as well (UPnP Device Architecture
/// 2.0 § 1.2.2).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeName {
    /// Everything before the last colon.
    stem: String,
    version: u32,
}

impl TypeName {
    /// A device type of the UPnP Forum.
    ///
    /// # Panics
    ///
    /// When `name` is empty or has a colon, white space or a control character: it is a constant
    /// of a program. A name that comes from elsewhere is parsed.
    #[must_use]
    pub fn device(name: &str, version: u32) -> Self {
        Self::standard("device", name, version)
    }

    /// A service type of the UPnP Forum.
    ///
    /// # Panics
    ///
    /// As [`TypeName::device`].
    #[must_use]
    pub fn service(name: &str, version: u32) -> Self {
        Self::standard("service", name, version)
    }

    fn standard(kind: &str, name: &str, version: u32) -> Self {
        let parsed = format!("urn:schemas-upnp-org:{kind}:{name}:{version}").parse();
        assert!(parsed.is_ok(), "no name of a UPnP type: {name:?} {version}");
        parsed.unwrap_or_else(|_| Self { stem: String::new(), version })
    }

    /// The name without its version: `urn:schemas-upnp-org:device:MediaServer`.
    #[must_use]
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The version, 1 or more.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Whether a device of this type can do what is `wanted`: the same name, and at least that
    /// version.
    #[must_use]
    pub fn satisfies(&self, wanted: &Self) -> bool {
        self.satisfies_parts(&wanted.stem, wanted.version)
    }

    pub(crate) fn satisfies_parts(&self, stem: &str, version: u32) -> bool {
        self.version >= version && self.stem.eq_ignore_ascii_case(stem)
    }

    /// The name with another version.
    pub(crate) fn at_version(&self, version: u32) -> Self {
        Self { stem: self.stem.clone(), version }
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.stem, self.version)
    }
}

impl fmt::Debug for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeName({self})")
    }
}

impl FromStr for TypeName {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, ParseTargetError> {
        match Wanted::read(text) {
            Some(Wanted::Type { stem, version }) => Ok(Self { stem: stem.to_owned(), version }),
            _ => Err(ParseTargetError),
        }
    }
}

/// A search target as it stands in a message, without a copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    All,
    RootDevice,
    Device(Uuid),
    Type { stem: &'a str, version: u32 },
}

impl<'a> Wanted<'a> {
    /// Reads a target; `None` for one that nobody here can have, such as `roku:ecp`.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        if text.eq_ignore_ascii_case("ssdp:all") {
            return Some(Self::All);
        }
        if text.eq_ignore_ascii_case("upnp:rootdevice") {
            return Some(Self::RootDevice);
        }
        let (scheme, rest) = text.split_at_checked(text.bytes().position(is_colon)?)?;
        let rest = rest.get(1..)?;
        if scheme.eq_ignore_ascii_case("uuid") {
            return rest.parse().ok().map(Self::Device);
        }
        if !scheme.eq_ignore_ascii_case("urn") || FieldValue::new(text).is_err() {
            return None;
        }
        Self::read_type(text)
    }

    /// `urn:domain:device|service:type:version`, each part there and without spaces.
    fn read_type(text: &'a str) -> Option<Self> {
        let (stem, version) = text.split_at_checked(text.bytes().rposition(is_colon)?)?;
        let version = version.get(1..)?;
        let mut parts = stem.as_bytes().split(|byte| is_colon(*byte)).skip(1);
        let (domain, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
        let known = kind.eq_ignore_ascii_case(b"device") || kind.eq_ignore_ascii_case(b"service");
        let spaces =
            !stem.bytes().all(|byte| byte.is_ascii_graphic()) && stem.contains(char::is_whitespace);
        if !known || domain.is_empty() || name.is_empty() || spaces || parts.next().is_some() {
            return None;
        }
        if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let version = version.parse().ok().filter(|v| *v > 0)?;
        Some(Self::Type { stem, version })
    }
}

const fn is_colon(byte: u8) -> bool {
    byte == b':'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_written() {
        for text in [
            "ssdp:all",
            "upnp:rootdevice",
            "uuid:2fac1234-31f8-11b4-a222-08002b34c003",
            "urn:schemas-upnp-org:device:MediaServer:1",
            "urn:schemas-upnp-org:service:ContentDirectory:4",
            "urn:microsoft-com:device:X_MS_MediaReceiverRegistrar:1",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        let nothing = [
            "",
            "roku:ecp",
            "pnp:rootdevice",
            "uuid:",
            "uuid:not-one",
            "urn:a:device:b",
            "urn:a:device:b:",
            "urn:a:device:b:0",
            "urn:a:device:b:x",
            "urn:a:device:b:99999999999",
            "urn:a:gadget:b:1",
            "urn::device:b:1",
            "urn:a:device:b c:1",
            "urn:a:device:b:c:1",
        ];
        for text in nothing {
            assert_eq!(text.parse::<Target>(), Err(ParseTargetError), "{text}");
        }
        assert!(":".repeat(900).parse::<Target>().is_err());
    }

    #[test]
    fn a_later_version_does_what_an_earlier_one_does() {
        let ours = TypeName::device("MediaServer", 3);
        for (wanted, expected) in [
            ("urn:schemas-upnp-org:device:MediaServer:1", true),
            ("urn:schemas-upnp-org:device:MediaServer:3", true),
            ("urn:schemas-upnp-org:device:MEDIASERVER:2", true),
            ("urn:schemas-upnp-org:device:MediaServer:4", false),
            ("urn:schemas-upnp-org:device:MediaServer2:1", false),
            ("urn:schemas-upnp-org:service:MediaServer:1", false),
        ] {
            assert_eq!(ours.satisfies(&wanted.parse().unwrap()), expected, "{wanted}");
        }
    }
}
