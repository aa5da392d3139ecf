//! Who is the client really, and by which scheme and host did it come?
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod audit;
mod contract;
#[cfg(feature = "dns")]
mod dns;
mod headers;
mod host;
#[cfg(feature = "tower")]
mod layer;
mod list;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "dns")]
mod names;
mod proxies;
pub mod proxy_protocol;
mod resolve;
mod rfc7239;
mod rules;
mod scheme;

pub use crate::address::{Node, NotAnAddress};
pub use crate::audit::{Audit, AuditFlag};
#[cfg(feature = "live")]
pub use crate::audit::{AuditEvent, AuditLog};
pub use crate::contract::{Contract, ParseContractError};
#[cfg(feature = "dns")]
pub use crate::dns::{HostNames, NamesConfig, Resolve, SystemResolver};
pub use crate::headers::{Field, Headers};
pub use crate::host::{AllowedHosts, Host, ParseAllowedHostsError};
#[cfg(feature = "tower")]
pub use crate::layer::{EffectiveOrigin, Forwarded, ForwardedLayer, Strip};
#[cfg(feature = "live")]
pub use crate::live::LiveRules;
#[cfg(feature = "dns")]
pub use crate::names::NameEvent;
pub use crate::proxies::{
    BadProxy, BadProxyReason, KnownProxies, ParseKnownProxiesError, ProxySet,
};
pub use crate::resolve::{Connection, PreambleClient, Resolved};
pub use crate::rules::{Family, HopLimit, HopLimitError, Rules};
pub use crate::scheme::Scheme;
