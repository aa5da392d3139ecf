//! The seeker on real sockets.

use std::fmt;
use std::io;

use jellynet_netif::{Driver, Events, Interfaces, UdpConfig, drive};

use super::device::Device;
use super::seeker::{SeekConfig, SeekEvent, Seeker};
use super::target::Target;

/// Why nobody was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// The system does not tell its interfaces.
    #[error("cannot read the network interfaces")]
    Interfaces {
        /// What it said.
        source: io::Error,
    },
    /// No interface is up, or none has an address that can ask.
    #[error("no network interface to look for tuners on")]
    Nowhere,
    /// Every question failed to leave.
    #[error("none of {asked} questions could be sent: {why}")]
    NotSent {
        /// How many questions there were.
        asked: u64,
        /// What failed.
        why: String,
    },
}

/// Looks for tuners once and returns those that answered, by id.
///
/// Takes the time of one round: 400 ms by default, less when one device is sought and answers.
///
/// # Errors
///
/// [`DiscoverError`] when nobody was asked; that nobody answered is no error.
///
/// # Panics
///
/// Outside a tokio runtime with I/O and time.
pub async fn discover(config: SeekConfig) -> Result<Vec<Device>, DiscoverError> {
    let table =
        jellynet_netif::interfaces().map_err(|source| DiscoverError::Interfaces { source })?;
    let once = SeekConfig { every: None, ..config };
    let mut discovery = Discovery::start(once, Interfaces::fixed(table));
    while let Some(event) = discovery.next().await {
        if event == SeekEvent::RoundDone {
            break;
        }
    }
    discovery.outcome()
}

/// Why there is not the one device that was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Nobody was asked.
    #[error("cannot look for tuners")]
    Discover(#[source] DiscoverError),
    /// Nobody answered.
    #[error(
        "no tuner answers, looked for {target}: it must be on this network, or be named by its address"
    )]
    Nobody {
        /// Who was sought.
        target: Target,
    },
    /// More than one answered.
    #[error("there are several devices, name one: {}", Listed(found))]
    Several {
        /// Who answered.
        found: Vec<Device>,
    },
}

struct Listed<'a>(&'a [Device]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, device) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            write!(f, "{separator}{}", device.id)?;
        }
        Ok(())
    }
}

/// Looks for the device that is named, or for the only one there is.
///
/// # Errors
///
/// [`FindError`].
///
/// # Panics
///
/// As [`discover`].
pub async fn find(target: Target) -> Result<Device, FindError> {
    let mut found = discover(SeekConfig::new(target)).await.map_err(FindError::Discover)?;
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(FindError::Nobody { target }),
        (Some(device), true) => Ok(device),
        (Some(device), false) => {
            found.push(device);
            Err(FindError::Several { found })
        }
    }
}

/// Looks for tuners for as long as it lives, following the interfaces.
#[derive(Debug)]
pub struct Discovery {
    driver: Driver<Seeker>,
    events: Events<SeekEvent>,
}

impl Discovery {
    /// Begins at once. With [`SeekConfig::every`] unset it ends after one round.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time.
    #[must_use]
    pub fn start(config: SeekConfig, interfaces: Interfaces) -> Self {
        // Site-local multicast may cross routers; the vendor's client allows as many hops.
        let udp = UdpConfig::announce().with_ipv6().with_broadcast().with_multicast_hops(64);
        let (driver, events) = drive(Seeker::new(config), udp, interfaces);
        Self { driver, events }
    }

    /// The next event; `None` after the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<SeekEvent> {
        self.events.next().await
    }

    /// The devices known now.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        self.driver.with(|seeker, _| seeker.devices().cloned().collect())
    }

    fn outcome(&self) -> Result<Vec<Device>, DiscoverError> {
        let devices = self.devices();
        let asked = self.driver.with(|seeker, _| seeker.stats().asked);
        if devices.is_empty() && asked == 0 {
            return Err(DiscoverError::Nowhere);
        }
        let counters = self.driver.counters();
        if devices.is_empty() && counters.sent == 0 {
            let failures: Vec<_> = self.driver.status().failures().collect();
            return Err(DiscoverError::NotSent {
                asked,
                why: if failures.is_empty() {
                    format!("{:?}", counters.send_failed)
                } else {
                    failures.join("; ")
                },
            });
        }
        Ok(devices)
    }
}
