#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod problem;
mod settings;
mod source;
mod value;

pub use crate::problem::{Problem, SettingsError};
pub use crate::settings::Settings;
pub use crate::value::{Origin, ParseDurationError, parse_duration};
