//! UPnP discovery (SSDP), both sides: advertise, answer, search, describe.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod advertiser;
mod bucket;
mod callback;
pub mod description;
mod device;
mod link;
pub mod message;
mod random;
mod searcher;
mod target;
#[cfg(feature = "udp")]
mod udp;
mod uuid;

pub use self::advertiser::{
    Advertiser, AdvertiserConfig, AdvertiserConfigError, AdvertiserCounters, AdvertiserEvent,
    Limits, MAX_DEVICES, SkipReason,
};
pub use self::callback::{Callback, CallbackError, MAX_CALLBACKS, check_callbacks};
pub use self::device::{Advertisement, Device, LocationFn, RootDevice};
pub use self::link::{Families, GROUP_V4, GROUP_V6_LINK, GROUP_V6_SITE, InterfaceFilter, PORT};
pub use self::searcher::{
    Found, MAX_TARGETS, Searcher, SearcherConfig, SearcherConfigError, SearcherCounters,
    SearcherEvent, Way,
};
pub use self::target::{ParseTargetError, Target, TypeName};
#[cfg(feature = "udp")]
#[cfg_attr(docsrs, doc(cfg(feature = "udp")))]
pub use self::udp::{
    MINISSDPD_SOCKET, Rung, Search, SsdpService, SsdpServiceConfig, boot_id, product_line, seed,
};
pub use self::uuid::{ParseUuidError, Uuid};
