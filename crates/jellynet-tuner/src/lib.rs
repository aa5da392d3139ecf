//! HDHomeRun tuners.

mod device_id;
pub mod rtp;
pub mod rx;
pub mod ts;
pub mod wire;

pub use crate::device_id::{DeviceId, ParseDeviceIdError};
