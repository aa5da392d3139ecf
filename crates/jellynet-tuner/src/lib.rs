//! HDHomeRun tuners.

#[cfg(feature = "http")]
pub mod api;
mod channel;
#[cfg(feature = "udp")]
pub mod control;
mod device_id;
pub mod discover;
mod doctor;
#[cfg(feature = "udp")]
pub mod journal;
#[cfg(feature = "udp")]
pub mod ports;
pub mod rtp;
pub mod rx;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "sim")]
pub mod sim;
mod status;
pub mod ts;
#[cfg(feature = "udp")]
pub mod tune;
pub mod wire;

pub use crate::channel::{Channel, ParseChannelError};
pub use crate::device_id::{DeviceId, ParseDeviceIdError};
pub use crate::doctor::{Advice, Blocked};
pub use crate::status::{Program, StopReason, TunerStatus};
