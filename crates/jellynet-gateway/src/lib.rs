#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod announce;
mod app;
mod config;
mod dlna;
mod explain;
mod gateway;
mod health;
mod identity;
mod reach;
mod root;
mod stack;
mod tls;
mod tuners;
mod welcome;

pub use crate::config::{Config, KEYS};
pub use crate::explain::{Explain, Question};
pub use crate::gateway::{Drain, Gateway, OpenError};
