//! The description of a device: what is at its LOCATION.
//!
//! # The rules of this module
//!
//! 1. Every text is escaped; characters that XML does not have become spaces.
//! 2. A URL that begins with `/` is written absolute, below the base it was asked under: relative
//!    ones are read differently by different clients, and the Jellyfin client for Roku takes the
//!    part before `/dlna/` of an icon's URL for the address of the server.
//! 3. Elements stand in the order of UPnP Device Architecture 1.1 § 2.3, and those that VLC,
//!    gupnp and async-upnp-client cannot do without are always there.

#[cfg(feature = "http")]
mod authority;
#[cfg(feature = "fetch")]
mod fetch;
#[cfg(feature = "http")]
mod layer;
mod scpd;
#[cfg(feature = "http")]
mod serve;
mod summary;
mod xml;

use std::net::IpAddr;

use bytes::Bytes;
use jellynet_netif::Interface;

#[cfg(feature = "fetch")]
#[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
pub use self::fetch::FetchError;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use self::layer::{DescribeFuture, DescribeLayer, DescribeService};
pub use self::scpd::{connection_manager_scpd, content_directory_scpd};
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use self::serve::{Descriptions, Refusal};
pub use self::summary::Summary;
use self::xml::Writer;
use crate::hash::fnv1a;
use crate::target::TypeName;
use crate::uuid::Uuid;

/// A device as its description tells it.
///
/// URLs are absolute, or begin with `/` and are below the base that [`Description::to_xml`] gets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The identifier, written into `UDN`.
    pub uuid: Uuid,
    /// The device type.
    pub device_type: TypeName,
    /// The name that people see; fewer than 64 characters.
    pub friendly_name: String,
    /// Who made it. The Jellyfin client for Roku lists a server only when this is `Jellyfin`.
    pub manufacturer: String,
    /// Where its maker is.
    pub manufacturer_url: Option<String>,
    /// What it is.
    pub model_description: Option<String>,
    /// What it is called; fewer than 32 characters.
    pub model_name: String,
    /// Which version it is.
    pub model_number: Option<String>,
    /// Where it is described for people.
    pub model_url: Option<String>,
    /// Which one it is.
    pub serial_number: Option<String>,
    /// The page for people.
    pub presentation_url: Option<String>,
    /// Its icons.
    pub icons: Vec<Icon>,
    /// Its services.
    pub services: Vec<ServiceDescription>,
    /// The devices inside it; their base is the same.
    pub embedded: Vec<Self>,
    /// The `configId` of the root. `None`: a number made of everything else in here, so that it
    /// changes when the description does and control points read it again.
    pub config_id: Option<u32>,
    /// The DLNA device classes, such as `DMS-1.50`.
    pub dlna_classes: Vec<String>,
}

/// An icon of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icon {
    /// The media type: `image/png` or `image/jpeg`.
    pub media_type: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bits per pixel.
    pub depth: u32,
    /// Where it is.
    pub url: String,
    /// The image, where this crate shall serve it.
    pub data: Bytes,
}

/// A service of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDescription {
    /// The service type.
    pub service_type: TypeName,
    /// The service id, such as `urn:upnp-org:serviceId:ContentDirectory`.
    pub service_id: String,
    /// Where the service is described.
    pub scpd_url: String,
    /// Where actions go.
    pub control_url: String,
    /// Where subscriptions go.
    pub event_sub_url: String,
    /// The service description, where this crate shall serve it.
    pub scpd: Bytes,
}

impl Description {
    /// A `MediaServer:1` with `ContentDirectory:1` and `ConnectionManager:1`, whose URLs are those
    /// of Jellyfin's DLNA plugin: `/dlna/<uuid>/contentdirectory/control` and so on.
    #[must_use]
    pub fn media_server(uuid: Uuid, friendly_name: impl Into<String>) -> Self {
        let service = |name: &str, scpd| {
            let path = name.to_ascii_lowercase();
            ServiceDescription {
                service_type: TypeName::service(name, 1),
                service_id: format!("urn:upnp-org:serviceId:{name}"),
                scpd_url: format!("/dlna/{uuid}/{path}/{path}.xml"),
                control_url: format!("/dlna/{uuid}/{path}/control"),
                event_sub_url: format!("/dlna/{uuid}/{path}/events"),
                scpd,
            }
        };
        Self {
            uuid,
            device_type: TypeName::device("MediaServer", 1),
            friendly_name: friendly_name.into(),
            manufacturer: "Jellyfin".to_owned(),
            manufacturer_url: Some("https://jellyfin.org".to_owned()),
            model_description: Some("Media server".to_owned()),
            model_name: "Jellyfin Server".to_owned(),
            model_number: None,
            model_url: None,
            serial_number: None,
            presentation_url: Some("/web/index.html".to_owned()),
            icons: Vec::new(),
            services: vec![
                service("ContentDirectory", content_directory_scpd()),
                service("ConnectionManager", connection_manager_scpd()),
            ],
            embedded: Vec::new(),
            config_id: None,
            dlna_classes: vec!["DMS-1.50".to_owned()],
        }
    }

    /// The same description with one more icon, a PNG of that size at
    /// `/dlna/<uuid>/icon<width>.png`.
    #[must_use]
    pub fn with_png(mut self, width: u32, height: u32, data: impl Into<Bytes>) -> Self {
        self.icons.push(Icon {
            media_type: "image/png".to_owned(),
            width,
            height,
            depth: 24,
            url: format!("/dlna/{}/icon{width}.png", self.uuid),
            data: data.into(),
        });
        self
    }

    /// The path of the description itself: `/dlna/<uuid>/description.xml`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/dlna/{}/description.xml", self.uuid)
    }

    /// The advertised device: the same identifier and types.
    #[must_use]
    pub fn device(&self) -> crate::Device {
        let device = crate::Device::new(self.uuid, self.device_type.clone());
        let services = self.services.iter().map(|s| s.service_type.clone());
        let device = services.fold(device, crate::Device::with_service);
        let embedded = self.embedded.iter().map(Self::device);
        embedded.fold(device, crate::Device::with_embedded)
    }

    /// The root device to advertise: the same identifier, types and `CONFIGID`, with its
    /// description at `location` (see [`RootDevice::new`](crate::RootDevice::new)).
    #[must_use]
    pub fn root_device(
        &self,
        location: impl Fn(&Interface, IpAddr) -> Option<String> + Send + Sync + 'static,
    ) -> crate::RootDevice {
        crate::RootDevice::new(self.device(), location).with_config_id(self.effective_config_id())
    }

    /// [`config_id`](Self::config_id), or the number that stands in for it.
    #[must_use]
    pub fn effective_config_id(&self) -> u32 {
        self.config_id.unwrap_or_else(|| {
            let mut xml = Writer::new("");
            self.write_device(&mut xml);
            let content = fnv1a(xml.finish().as_bytes());
            let scpds = self.services.iter().map(|service| fnv1a(&service.scpd));
            let all = scpds.fold(content, |all, one| all.rotate_left(1) ^ one);
            u32::try_from(all >> 40).unwrap_or_default() & crate::RootDevice::MAX_CONFIG_ID
        })
    }

    /// The description as XML for who reached this server under `base`, such as
    /// `http://10.0.0.5:8096` or `http://10.0.0.5:8096/jellyfin`.
    #[must_use]
    pub fn to_xml(&self, base: &str) -> String {
        let mut xml = Writer::new(base.trim_end_matches('/'));
        let mut attributes = vec![("xmlns", "urn:schemas-upnp-org:device-1-0")];
        if !self.dlna_classes.is_empty() {
            attributes.push(("xmlns:dlna", "urn:schemas-dlna-org:device-1-0"));
        }
        let config_id = self.effective_config_id().to_string();
        attributes.push(("configId", &config_id));
        xml.open("root", &attributes);
        xml.open("specVersion", &[]);
        xml.text("major", "1");
        xml.text("minor", "1");
        xml.close("specVersion");
        self.write_device(&mut xml);
        xml.close("root");
        xml.finish()
    }

    fn write_device(&self, xml: &mut Writer<'_>) {
        xml.open("device", &[]);
        for class in &self.dlna_classes {
            xml.text("dlna:X_DLNADOC", class);
        }
        xml.text("deviceType", &self.device_type.to_string());
        xml.text("friendlyName", &self.friendly_name);
        xml.text("manufacturer", &self.manufacturer);
        xml.url("manufacturerURL", self.manufacturer_url.as_deref());
        xml.optional("modelDescription", self.model_description.as_deref());
        xml.text("modelName", &self.model_name);
        xml.optional("modelNumber", self.model_number.as_deref());
        xml.url("modelURL", self.model_url.as_deref());
        xml.optional("serialNumber", self.serial_number.as_deref());
        xml.text("UDN", &format!("uuid:{}", self.uuid));
        xml.list("iconList", &self.icons, Icon::write);
        xml.list("serviceList", &self.services, ServiceDescription::write);
        xml.list("deviceList", &self.embedded, Self::write_device);
        xml.url("presentationURL", self.presentation_url.as_deref());
        xml.close("device");
    }
}

impl Icon {
    fn write(&self, xml: &mut Writer<'_>) {
        xml.open("icon", &[]);
        xml.text("mimetype", &self.media_type);
        xml.text("width", &self.width.to_string());
        xml.text("height", &self.height.to_string());
        xml.text("depth", &self.depth.to_string());
        xml.url("url", Some(&self.url));
        xml.close("icon");
    }
}

impl ServiceDescription {
    fn write(&self, xml: &mut Writer<'_>) {
        xml.open("service", &[]);
        xml.text("serviceType", &self.service_type.to_string());
        xml.text("serviceId", &self.service_id);
        xml.url("SCPDURL", Some(&self.scpd_url));
        xml.url("controlURL", Some(&self.control_url));
        xml.url("eventSubURL", Some(&self.event_sub_url));
        xml.close("service");
    }
}
