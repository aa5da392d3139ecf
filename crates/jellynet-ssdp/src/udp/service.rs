//! The device side on this host's network.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jellynet_netif::{Driver, Events, Interfaces, UdpCounters, UdpStatus, drive};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ladder::Ladder;
use super::minissdpd::MINISSDPD_SOCKET;
use super::sockets::{DEFAULT_HOPS, ssdp};
use crate::advertiser::{
    Advertiser, AdvertiserConfigError, AdvertiserCounters, AdvertiserEvent, LinkStatus,
};
use crate::device::RootDevice;

/// How long the byebyes may take.
const GRACE: Duration = Duration::from_secs(2);

/// How an [`SsdpService`] uses this host.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SsdpServiceConfig {
    /// How many routers an announcement may pass, plus one. Default: 2 (UPnP Device Architecture
    /// 2.0 § 1.1).
    pub hops: u8,
    /// Where `minissdpd` is asked for help when port 1900 is taken. Default:
    /// [`MINISSDPD_SOCKET`]; `None` never asks.
    pub minissdpd: Option<PathBuf>,
}

impl Default for SsdpServiceConfig {
    fn default() -> Self {
        Self { hops: DEFAULT_HOPS, minissdpd: Some(PathBuf::from(MINISSDPD_SOCKET)) }
    }
}

/// How searches reach the devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rung {
    /// Port 1900 is shared with whoever else has it: all searches are answered.
    Shared,
    /// Another program has port 1900 for itself. Announcements go out as always and name this
    /// port for unicast searches; multicast searches are not heard.
    SearchPort {
        /// The port, 49152 or more.
        port: u16,
        /// Whether `minissdpd` has taken the devices, and answers multicast searches for them.
        registered: bool,
    },
    /// As before, and no other port could be had: announcements only.
    AnnounceOnly {
        /// Whether `minissdpd` has taken the devices, and answers multicast searches for them.
        registered: bool,
    },
}

/// Advertises devices on this host's network, in a task of its own, until it is
/// [stopped](SsdpService::stop) or dropped.
///
/// It follows the interfaces, and starts with none if there is none yet. A port 1900 that another
/// program has for itself is no failure but a lower [`Rung`]; it is tried again all the time.
#[derive(Debug)]
pub struct SsdpService {
    driver: Driver<Advertiser>,
    rung: watch::Receiver<Rung>,
    ladder: Task,
}

impl SsdpService {
    /// Starts advertising. What happens is told by the events, which may be dropped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time.
    #[must_use]
    pub fn start(
        advertiser: Advertiser,
        config: SsdpServiceConfig,
        interfaces: Interfaces,
    ) -> (Self, Events<AdvertiserEvent>) {
        let told = advertiser.config();
        let udp = ssdp(told.families, &told.interfaces, config.hops).with_unicast_sockets();
        let (driver, events) = drive(advertiser, udp, interfaces.clone());
        let (ladder, rung) = Ladder::new(driver.clone(), interfaces, config.minissdpd);
        let service = Self { driver, rung, ladder: Task(tokio::spawn(ladder.run())) };
        (service, events)
    }

    /// How searches reach the devices now.
    #[must_use]
    pub fn rung(&self) -> Rung {
        *self.rung.borrow()
    }

    /// Waits until that changes; `None` after the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn rung_changed(&mut self) -> Option<Rung> {
        self.rung.changed().await.ok()?;
        Some(*self.rung.borrow_and_update())
    }

    /// How the sockets stand.
    #[must_use]
    pub fn status(&self) -> Arc<UdpStatus> {
        self.driver.status()
    }

    /// The networks on which there is something to announce, and whether searches are heard there.
    #[must_use]
    pub fn links(&self) -> Vec<LinkStatus> {
        let status = self.driver.status();
        let mut links = self.driver.with(|advertiser, _| advertiser.links());
        for link in &mut links {
            let joined = status
                .memberships
                .iter()
                .find(|joined| joined.group == link.group && joined.interface == link.index);
            link.deaf = match joined {
                Some(joined) => joined.error.as_ref().map(|error| format!("cannot join: {error}")),
                None => Some("no socket listens for this group".to_owned()),
            };
        }
        links
    }

    /// What was seen and done.
    #[must_use]
    pub fn counters(&self) -> AdvertiserCounters {
        self.driver.with(|advertiser, _| advertiser.counters())
    }

    /// How many datagrams went through the sockets.
    #[must_use]
    pub fn udp_counters(&self) -> UdpCounters {
        self.driver.counters()
    }

    /// See [`Advertiser::locations_changed`].
    pub fn locations_changed(&self) {
        self.driver.with(Advertiser::locations_changed);
    }

    /// See [`Advertiser::replace_devices`].
    ///
    /// # Errors
    ///
    /// When there are too many or two have the same identifier; then nothing changes.
    pub fn replace_devices(&self, devices: Vec<RootDevice>) -> Result<(), AdvertiserConfigError> {
        self.driver.with(|advertiser, now| advertiser.replace_devices(now, devices))
    }

    /// Says byebye on every link, and ends; takes a quarter of a second, at most two.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, some byebyes may not have been sent.
    pub async fn stop(self) {
        self.ladder.0.abort();
        self.driver.with(Advertiser::stop);
        self.driver.shutdown(GRACE).await;
    }
}

/// A task that ends with its handle.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
