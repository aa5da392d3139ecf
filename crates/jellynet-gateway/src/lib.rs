#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod announce;
mod app;
mod config;
mod counts;
mod discover;
mod dlna;
mod doctor;
mod explain;
mod fetch;
mod files;
mod gateway;
mod health;
mod healthcheck;
mod identity;
mod names;
mod reach;
mod reload;
mod root;
mod routing;
mod site;
mod sites;
mod stack;
mod status;
mod swap;
mod tls;
mod tuners;
mod version;
mod welcome;

pub use crate::config::{Config, KEYS};
pub use crate::discover::{Answer, discover};
pub use crate::doctor::{Diagnosis, Finding, Verdict, examine};
pub use crate::explain::{Explain, Question};
pub use crate::gateway::{Drain, Gateway, OpenError};
pub use crate::healthcheck::healthcheck;
pub use crate::reload::{Reload, ReloadError, Reloaded};
pub use crate::version::version;
