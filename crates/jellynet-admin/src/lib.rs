#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access_log;
mod measure;
mod metrics;
mod page;
mod ready;
mod redact;
mod service;

pub use crate::access_log::{AccessLog, Format, ParseFormatError};
pub use crate::measure::{Measure, MeasureBody, MeasureFuture, MeasureLayer};
pub use crate::metrics::{InFlight, Kind, ListenerMetrics, Metrics, Sample};
pub use crate::page::Page;
pub use crate::ready::{Part, Ready};
pub use crate::redact::{REPLACEMENT, is_secret_header, redact_target};
pub use crate::service::{Admin, AdminFuture};
