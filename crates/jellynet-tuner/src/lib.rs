//! On which UDP port do I receive, from which tuner, and did anything get lost?
//!
//! HDHomeRun tuners: port leases that never collide, discovery, control, and a stream whose
//! every missing packet is accounted for.
//!
//! # The rules of this crate
//!
//! 1. A port is bound, never asked for: the [lease](ports) is the socket.
//! 2. Every address of every interface [looks for tuners](discover), by IPv4 and IPv6; one
//!    device is one entry.
//! 3. A tuner that was [locked](tune) is released: after an error, when the last reader leaves,
//!    when a future is dropped, and at the next start after a crash.
//! 4. A loss has [one cause](rx::RxStats): the network, this host's kernel, the signal, or a
//!    reader that was too slow. Each is counted for itself.
//! 5. When nothing arrives the error says [why and what to run](Blocked).
//!
//! # Examples
//!
#![cfg_attr(feature = "udp", doc = "```no_run")]
#![cfg_attr(not(feature = "udp"), doc = "```ignore")]
//! use jellynet_tuner::discover::{SeekConfig, discover};
//! use jellynet_tuner::ports::{PortPolicy, TunerPorts};
//! use jellynet_tuner::tune::{TuneRequest, Tuners, TunersConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Sixteen ports that a firewall can open and a container publish.
//! let ports = TunerPorts::new(PortPolicy::in_range(61000..=61015))?;
//! let tuners = Tuners::new(ports, TunersConfig::default())?;
//! tuners.recover().await;
//!
//! for device in discover(SeekConfig::default()).await? {
//!     let request = TuneRequest::new("v5.1".parse()?);
//!     let mut stream = tuners.open(&device, &request).await?;
//!     while let Some(batch) = stream.next().await {
//!         let packets = batch?.data; // n × 188 bytes
//!         # drop(packets);
//!     }
//!     println!("{:?}", stream.close().await);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What this crate does not do
//!
//! No remultiplexing, no transcoding, no recording, no guide data, no firmware upgrades, and no
//! question to the vendor's servers. Other tuners (SAT>IP, DVB) can use the [ports] and [rx]
//! modules, which know nothing of HDHomeRun.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `udp` | yes | sockets: leases, discovery, control, tuning; tokio |
//! | `http` | no | the device's HTTP API: `discover.json`, `lineup.json` |
//! | `serve` | no | a tower service that streams channels to HTTP clients |
//! | `gro` | no | receives what the network card aggregated, when the configuration says so |
//! | `sim` | no | a simulated device, good enough for the vendor's client |
//! | `serde` | no | statistics, status and programmes serialize |
//!
//! Without features there remain the codec, the discovery engine, the receiver and the parsers:
//! no tokio, no sockets, no clock.

#![cfg_attr(docsrs, feature(doc_cfg))]

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

#[cfg(all(doctest, feature = "udp"))]
#[doc = include_str!("../README.md")]
struct Readme;
