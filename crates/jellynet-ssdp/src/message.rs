//! SSDP messages: a lenient parser and a strict writer.
//!
//! # The rules of this module
//!
//! 1. Three start lines exist (UPnP Device Architecture 2.0 § 1.1.1): `NOTIFY`, `M-SEARCH` and
//!    `HTTP/1.1 200 OK`. Everything else is [`ParseMessageError::StartLine`].
//! 2. Header names and methods are read in any letter case; values may have white space around
//!    them; lines may end in LF alone; the blank line at the end may be missing.
//! 3. `HOST` is never checked: it names the group with or without its port (§ 1.1.2), or the
//!    device that is asked alone (§ 1.3.2), and clients write `[FF02::C%2]:1900` and
//!    `ff02::c:1900`. What counts is the address that the datagram came to.
//! 4. Headers that are not known, and known ones that are not UTF-8, are skipped. Of a repeated
//!    header the first counts.
//! 5. A control character in a start line or a known header, a line without a colon, a folded
//!    known header, more than [`MAX_HEADERS`] headers or more than [`MAX_DATAGRAM`] bytes make
//!    the message malformed.
//! 6. Ids are decimal numbers, with leading zeros or not; whatever else stands there is as good as
//!    none, and so is a search port below 49152. Boot and configuration ids of more than 31 and 24
//!    bits are read as they are, for they are compared only, and never written by this crate's own
//!    engines.
//! 7. What is written consists of [`FieldValue`]s and numbers only, so that no name can smuggle
//!    in a header; what was parsed can always be written again.

mod field;
mod parse;
mod write;

pub use self::field::{FieldValue, FieldValueError, MAX_FIELD_VALUE};
pub(crate) use self::parse::FIRST_SEARCH_PORT;
pub use self::parse::{MAX_DATAGRAM, MAX_HEADERS, ParseMessageError};

/// One SSDP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// A control point looks for devices (UPnP Device Architecture 2.0 § 1.3.2).
    Search(Search<'a>),
    /// A device says that it is there, has changed or goes (§ 1.2).
    Notify(Notify<'a>),
    /// A device answers a search (§ 1.3.3).
    Response(Response<'a>),
}

/// `M-SEARCH`: a control point looks for devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search<'a> {
    /// `HOST`: the group, or the device that is asked alone. Written, never judged.
    pub host: Option<FieldValue<'a>>,
    /// `MX`: within how many seconds to answer; absent in a unicast search.
    pub mx: Option<u32>,
    /// `ST`: what is looked for.
    pub target: FieldValue<'a>,
    /// `USER-AGENT`: who looks.
    pub user_agent: Option<FieldValue<'a>>,
}

/// `NOTIFY`: a device says that it is there, has changed or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify<'a> {
    /// `HOST`: the group it is sent to.
    pub host: Option<FieldValue<'a>>,
    /// `NTS`: what happened.
    pub kind: NotifyKind,
    /// `NT`: what it happened to.
    pub target: FieldValue<'a>,
    /// `USN`: which device, and which of its parts.
    pub usn: FieldValue<'a>,
    /// What else is said; a byebye has only the two ids.
    pub details: Details<'a>,
}

/// What a [`Notify`] announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotifyKind {
    /// `ssdp:alive`: the device is there.
    Alive,
    /// `ssdp:update`: the device will go on with another boot id (§ 1.2.4).
    Update,
    /// `ssdp:byebye`: the device goes (§ 1.2.3).
    ByeBye,
}

impl NotifyKind {
    /// The value of `NTS`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "ssdp:alive",
            Self::Update => "ssdp:update",
            Self::ByeBye => "ssdp:byebye",
        }
    }
}

/// `HTTP/1.1 200 OK`: a device answers a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// `ST`: what was looked for, as it was asked.
    pub target: FieldValue<'a>,
    /// `USN`: which device, and which of its parts.
    pub usn: FieldValue<'a>,
    /// What else is said.
    pub details: Details<'a>,
}

/// What a [`Notify`] and a [`Response`] have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details<'a> {
    /// `CACHE-CONTROL: max-age`, in seconds; at least 1800 should be sent.
    pub max_age: Option<u32>,
    /// `LOCATION`: the URL of the description.
    pub location: Option<FieldValue<'a>>,
    /// `SERVER`: operating system, UPnP version and product.
    pub server: Option<FieldValue<'a>>,
    /// `BOOTID.UPNP.ORG`: greater after each restart; 31 bits.
    pub boot_id: Option<u32>,
    /// `NEXTBOOTID.UPNP.ORG`: what the boot id will be after an update.
    pub next_boot_id: Option<u32>,
    /// `CONFIGID.UPNP.ORG`: another number means another description; 24 bits.
    pub config_id: Option<u32>,
    /// `SEARCHPORT.UPNP.ORG`: where unicast searches go when it is not port 1900; 49152 or more.
    pub search_port: Option<u16>,
    /// `01-NLS`: the boot id once more, as IPv6 control points of UPnP 1.0 know it (Annex A).
    pub nls: Option<u32>,
}
