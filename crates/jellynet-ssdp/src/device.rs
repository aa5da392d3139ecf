//! The devices that are advertised, and the 3 + 2d + k messages that say so.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jellynet_netif::Interface;

use crate::target::{TypeName, Wanted};
use crate::uuid::Uuid;

/// Gives the URL of the description for whoever comes by this interface and reaches this host
/// under this address; `None` when there is no such URL, and the device stays unseen there.
pub type LocationFn = dyn Fn(&Interface, IpAddr) -> Option<String> + Send + Sync;

/// A device with its services and embedded devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    uuid: Uuid,
    device_type: TypeName,
    services: Vec<TypeName>,
    embedded: Vec<Self>,
}

impl Device {
    /// A device without services.
    #[must_use]
    pub const fn new(uuid: Uuid, device_type: TypeName) -> Self {
        Self { uuid, device_type, services: Vec::new(), embedded: Vec::new() }
    }

    /// A `MediaServer:1` with `ContentDirectory:1` and `ConnectionManager:1`.
    #[must_use]
    pub fn media_server(uuid: Uuid) -> Self {
        Self::new(uuid, TypeName::device("MediaServer", 1))
            .with_service(TypeName::service("ContentDirectory", 1))
            .with_service(TypeName::service("ConnectionManager", 1))
    }

    /// The same device with one more service; a second one of the same type is the same message.
    #[must_use]
    pub fn with_service(mut self, service_type: TypeName) -> Self {
        if !self.services.contains(&service_type) {
            self.services.push(service_type);
        }
        self
    }

    /// The same device with another one inside.
    #[must_use]
    pub fn with_embedded(mut self, device: Self) -> Self {
        self.embedded.push(device);
        self
    }

    /// Its identifier.
    #[must_use]
    pub const fn uuid(&self) -> Uuid {
        self.uuid
    }

    fn collect(&self, all: &mut Vec<Advertisement>) {
        all.push(Advertisement::new(self.uuid, Subject::Uuid));
        let own = std::iter::once(&self.device_type);
        for name in own.chain(&self.services) {
            all.push(Advertisement::new(self.uuid, Subject::Type(name.clone())));
        }
        for device in &self.embedded {
            device.collect(all);
        }
    }
}

/// A root device: what is advertised, and where its description is.
#[derive(Clone)]
pub struct RootDevice {
    device: Device,
    config_id: u32,
    location: Arc<LocationFn>,
}

impl RootDevice {
    /// The largest `CONFIGID.UPNP.ORG` that a vendor may choose (UPnP Device Architecture 2.0
    /// § 1.2.2).
    pub const MAX_CONFIG_ID: u32 = 0x00ff_ffff;

    /// A root device whose description is at `location`.
    ///
    /// The URL should be plain HTTP with an address in it: televisions follow neither HTTPS nor
    /// names. One with a zone id (`[fe80::1%eth0]`) is refused, for the zone means nothing to
    /// others.
    #[must_use]
    pub fn new(
        device: Device,
        location: impl Fn(&Interface, IpAddr) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self { device, config_id: 1, location: Arc::new(location) }
    }

    /// The same device with another `CONFIGID.UPNP.ORG`. It changes when the description does,
    /// and is the `configId` there. Default: 1; higher bits than 24 are dropped.
    #[must_use]
    pub const fn with_config_id(mut self, config_id: u32) -> Self {
        self.config_id = config_id & Self::MAX_CONFIG_ID;
        self
    }

    /// The device.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// Its `CONFIGID.UPNP.ORG`.
    #[must_use]
    pub const fn config_id(&self) -> u32 {
        self.config_id
    }

    /// Whether control points would see no difference but for the URL.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.config_id == other.config_id && self.device == other.device
    }

    /// The URL of its description for that interface and address.
    #[must_use]
    pub fn location(&self, interface: &Interface, address: IpAddr) -> Option<String> {
        (self.location)(interface, address)
    }

    /// The 3 + 2d + k messages of UPnP Device Architecture 2.0 § 1.2.2, the root first: three for
    /// the root device, two for each of the d embedded devices, one for each of the k service
    /// types of each device.
    #[must_use]
    pub fn advertisements(&self) -> Vec<Advertisement> {
        let mut all = vec![Advertisement::new(self.device.uuid, Subject::Root)];
        self.device.collect(&mut all);
        all
    }
}

impl fmt::Debug for RootDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootDevice")
            .field("device", &self.device)
            .field("config_id", &self.config_id)
            .finish_non_exhaustive()
    }
}

/// One of the messages that make up an announcement: an `NT` with its `USN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    uuid: Uuid,
    subject: Subject,
    nt: String,
    usn: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Root,
    Uuid,
    Type(TypeName),
}

impl Advertisement {
    fn new(uuid: Uuid, subject: Subject) -> Self {
        let (nt, usn) = match &subject {
            Subject::Root => {
                ("upnp:rootdevice".to_owned(), format!("uuid:{uuid}::upnp:rootdevice"))
            }
            Subject::Uuid => (format!("uuid:{uuid}"), format!("uuid:{uuid}")),
            Subject::Type(name) => (name.to_string(), format!("uuid:{uuid}::{name}")),
        };
        Self { uuid, subject, nt, usn }
    }

    /// The value of `NT`, and of `ST` in an answer.
    #[must_use]
    pub fn nt(&self) -> &str {
        &self.nt
    }

    /// The value of `USN`.
    #[must_use]
    pub fn usn(&self) -> &str {
        &self.usn
    }

    pub(crate) const fn is_root(&self) -> bool {
        matches!(self.subject, Subject::Root)
    }

    /// Whether this is an answer to a search for `wanted`.
    pub(crate) fn matches(&self, wanted: &Wanted<'_>) -> bool {
        match (wanted, &self.subject) {
            (Wanted::All, _) | (Wanted::RootDevice, Subject::Root) => true,
            (Wanted::Device(uuid), Subject::Uuid) => *uuid == self.uuid,
            (Wanted::Type { stem, version }, Subject::Type(name)) => {
                name.satisfies_parts(stem, *version)
            }
            _ => false,
        }
    }

    /// The same message as an answer to a search for `version`: `ST` and `USN` carry the version
    /// that was asked for (UPnP Device Architecture 2.0 § 1.3.3).
    pub(crate) fn asked_at(&self, version: u32) -> Option<Self> {
        match &self.subject {
            Subject::Type(name) if name.version() != version => {
                Some(Self::new(self.uuid, Subject::Type(name.at_version(version))))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_id_has_24_bits() {
        let device = Device::media_server(Uuid::from_bytes([1; 16]));
        let root = RootDevice::new(device, |_, _| None);
        for (given, expected) in
            [(0, 0), (16_777_215, 16_777_215), (16_777_216, 0), (u32::MAX, 16_777_215)]
        {
            assert_eq!(root.clone().with_config_id(given).config_id(), expected, "{given}");
        }
    }

    #[test]
    fn the_set_has_three_and_two_per_device_and_one_per_service_type() {
        let uuid = Uuid::from_bytes([1; 16]);
        let inner = Device::new(Uuid::from_bytes([2; 16]), TypeName::device("Clock", 1))
            .with_service(TypeName::service("ConnectionManager", 1));
        let device = Device::media_server(uuid)
            .with_service(TypeName::service("ContentDirectory", 1))
            .with_embedded(inner);
        let root = RootDevice::new(device, |_, _| None);
        let sent: Vec<_> = root.advertisements().into_iter().map(|a| (a.nt, a.usn)).collect();
        let one = "uuid:01010101-0101-0101-0101-010101010101";
        let two = "uuid:02020202-0202-0202-0202-020202020202";
        let expected = [
            ("upnp:rootdevice", one),
            (one, one),
            ("urn:schemas-upnp-org:device:MediaServer:1", one),
            ("urn:schemas-upnp-org:service:ContentDirectory:1", one),
            ("urn:schemas-upnp-org:service:ConnectionManager:1", one),
            (two, two),
            ("urn:schemas-upnp-org:device:Clock:1", two),
            ("urn:schemas-upnp-org:service:ConnectionManager:1", two),
        ];
        // d = 1, k = 2 + 1: the same type in two devices is announced for each.
        assert_eq!(sent.len(), 3 + 2 + 3);
        for ((nt, usn), (expected, uuid)) in sent.iter().zip(expected) {
            assert_eq!(nt, expected);
            let whole = if nt == uuid { uuid.to_owned() } else { format!("{uuid}::{nt}") };
            assert_eq!(usn, &whole);
        }
    }
}
