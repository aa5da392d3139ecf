//! What an advertiser is told.

use std::time::Duration;

use ipnet::IpNet;

use crate::device::RootDevice;
use crate::link::{Families, InterfaceFilter};
use crate::message::{FieldValue, FieldValueError};
use crate::uuid::Uuid;

/// The most root devices of one advertiser.
pub const MAX_DEVICES: usize = 16;

/// What an [`Advertiser`](super::Advertiser) is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AdvertiserConfig {
    /// The value of `SERVER`: operating system, UPnP version and product, each with its version
    /// (`Linux/6.12 UPnP/1.1 jellynet/0.1`).
    pub server: String,
    /// The first `BOOTID.UPNP.ORG`; greater than any that was used before, which the seconds
    /// since 1970 are. At most [`MAX_BOOT_ID`](Self::MAX_BOOT_ID).
    pub boot_id: u32,
    /// The seed of every random delay. Devices with the same seed speak at the same time.
    pub seed: u64,
    /// How long an announcement is valid. Default: 1800 s, the least that UPnP Device
    /// Architecture 2.0 § 1.2.2 recommends; 60 s to 7 days are possible.
    pub max_age: Duration,
    /// Which families are spoken. Default: both.
    pub families: Families,
    /// Which interfaces are used. Default: all but loopback and VPNs.
    pub interfaces: InterfaceFilter,
    /// Which sources are answered besides those on the link, for relays between networks.
    /// Default: none.
    ///
    /// # Security
    ///
    /// Source addresses of datagrams can be invented: whatever stands here can be made the
    /// target of answers to questions that others ask.
    pub sources: Vec<IpNet>,
    /// Whether a multicast search without `MX` is answered as if it said 1, against UPnP Device
    /// Architecture 2.0 § 1.3.3. Default: no. Old versions of Windows Explorer need it.
    pub answer_without_mx: bool,
    /// Whether searches on the link group of IPv6 get a link-local URL even where there is a
    /// wider one (Annex A to the letter). Default: no, for players cannot open such URLs.
    pub link_local_locations: bool,
    /// How much is answered.
    pub limits: Limits,
}

/// How much an [`Advertiser`](super::Advertiser) answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Searches of one source at once. Default: 20.
    pub search_burst: u32,
    /// Searches of one source per second. Default: 10.
    pub searches_per_second: u32,
    /// Answers to all sources at once. Default: 400.
    pub answer_burst: u32,
    /// Answers to all sources per second. Default: 200.
    pub answers_per_second: u32,
    /// Answers that wait for their random delay. Default: 512; more searches are dropped.
    pub pending: usize,
    /// Sources that are counted. Default: 256; searches of more at the same time are dropped.
    pub sources: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            search_burst: 20,
            searches_per_second: 10,
            answer_burst: 400,
            answers_per_second: 200,
            pending: 512,
            sources: 256,
        }
    }
}

impl AdvertiserConfig {
    /// The greatest `BOOTID.UPNP.ORG`: 31 bits.
    pub const MAX_BOOT_ID: u32 = 0x7fff_ffff;

    /// The configuration with every default.
    #[must_use]
    pub fn new(server: impl Into<String>, boot_id: u32, seed: u64) -> Self {
        Self {
            server: server.into(),
            boot_id,
            seed,
            max_age: Duration::from_secs(1800),
            families: Families::default(),
            interfaces: InterfaceFilter::default(),
            sources: Vec::new(),
            answer_without_mx: false,
            link_local_locations: false,
            limits: Limits::default(),
        }
    }

    pub(super) fn check(&self, devices: &[RootDevice]) -> Result<(), AdvertiserConfigError> {
        FieldValue::new(&self.server).map_err(AdvertiserConfigError::Server)?;
        if self.boot_id > Self::MAX_BOOT_ID {
            return Err(AdvertiserConfigError::BootId(self.boot_id));
        }
        let least = Duration::from_secs(60);
        let most = Duration::from_secs(7 * 24 * 60 * 60);
        if !(least..=most).contains(&self.max_age) {
            return Err(AdvertiserConfigError::MaxAge(self.max_age));
        }
        if devices.len() > MAX_DEVICES {
            return Err(AdvertiserConfigError::TooManyDevices(devices.len()));
        }
        for (at, device) in devices.iter().enumerate() {
            let uuid = device.device().uuid();
            if devices.iter().take(at).any(|d| d.device().uuid() == uuid) {
                return Err(AdvertiserConfigError::SameDevice(uuid));
            }
        }
        Ok(())
    }
}

/// Why devices cannot be advertised this way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvertiserConfigError {
    /// The product line cannot stand in a header.
    #[error("the server line cannot be sent")]
    Server(#[source] FieldValueError),
    /// The boot id has more than 31 bits.
    #[error("the boot id has more than 31 bits: {0}")]
    BootId(u32),
    /// Announcements are valid for too short or too long.
    #[error("announcements are valid for 60 seconds to 7 days, not {} seconds", .0.as_secs())]
    MaxAge(Duration),
    /// More than [`MAX_DEVICES`] root devices.
    #[error("{0} root devices, {MAX_DEVICES} are allowed")]
    TooManyDevices(usize),
    /// Two root devices have the same identifier.
    #[error("two devices have the identifier {0}")]
    SameDevice(Uuid),
}
