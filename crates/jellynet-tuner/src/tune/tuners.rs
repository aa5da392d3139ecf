//! Every stream of this program, one per channel.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{interval, timeout};

use super::choose::MOST_TUNERS;
use super::config::{TuneRequest, TunersConfig};
use super::error::OpenError;
use super::lock::{Recovered, recover};
use super::open::Opening;
use super::scan::ScanStep;
use super::stream::{Shared, StreamInfo, Totals, TunerStream};
use crate::device_id::DeviceId;
use crate::discover::Device;
use crate::journal::{Journal, JournalError};
use crate::ports::TunerPorts;
use crate::rx::RxStats;

/// Opens channels, each once, however many readers there are. Clones share everything.
#[derive(Clone, Debug)]
pub struct Tuners {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    ports: TunerPorts,
    config: TunersConfig,
    journal: Arc<Journal>,
    devices: Mutex<HashMap<DeviceId, Device>>,
    streams: Mutex<HashMap<Key, Slot>>,
    /// How often opening failed on each tuner, for the order in which they are tried.
    failures: Mutex<HashMap<(DeviceId, u8), u64>>,
    totals: Arc<Totals>,
}

/// A little more than releasing one tuner may take.
const RELEASED: Duration = Duration::from_secs(3);

type Key = (DeviceId, TuneRequest);

/// One channel; locked while it is being opened, so that it is opened once.
type Slot = Arc<tokio::sync::Mutex<Weak<Shared>>>;

impl Tuners {
    /// Leases from `ports`; reads the journal, whose locks wait for
    /// [`recover`](Self::recover).
    ///
    /// # Errors
    ///
    /// [`JournalError`] when there is a journal that cannot be read.
    pub fn new(ports: TunerPorts, config: TunersConfig) -> Result<Self, JournalError> {
        let journal = match &config.journal {
            Some(path) => Journal::open(path)?,
            None => Journal::in_memory(),
        };
        let inner = Inner {
            ports,
            config,
            journal: Arc::new(journal),
            devices: Mutex::default(),
            streams: Mutex::default(),
            failures: Mutex::default(),
            totals: Arc::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Releases what an earlier run left locked. Call it once, at the start.
    pub async fn recover(&self) -> Vec<Recovered> {
        let mut recovered = Vec::new();
        for held in self.inner.journal.held() {
            let options = self.inner.config.control;
            recovered.push(recover(held, options, &self.inner.journal).await);
        }
        recovered
    }

    /// Waits until every tuner is given back, for at most 3 s: before the program ends,
    /// because releasing goes on in the background. Streams with readers keep it waiting.
    pub async fn released(&self) {
        let waiting = async {
            let mut look = interval(Duration::from_millis(10));
            while !self.inner.journal.held().is_empty() {
                look.tick().await;
            }
        };
        // What is left the journal knows.
        let _ = timeout(RELEASED, waiting).await;
    }

    /// The leases.
    #[must_use]
    pub fn ports(&self) -> &TunerPorts {
        &self.inner.ports
    }

    pub(super) fn config(&self) -> &TunersConfig {
        &self.inner.config
    }

    /// Remembers a device, for [`device`](Self::device).
    pub fn remember(&self, device: Device) {
        lock(&self.inner.devices).insert(device.id, device);
    }

    /// Forgets a device; its streams go on.
    pub fn forget(&self, device: DeviceId) {
        lock(&self.inner.devices).remove(&device);
    }

    /// The remembered devices, by id.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        let mut devices: Vec<_> = lock(&self.inner.devices).values().cloned().collect();
        devices.sort_by_key(|device| device.id);
        devices
    }

    /// The remembered device with this id or address, as text.
    #[must_use]
    pub fn device(&self, name: &str) -> Option<Device> {
        let id = name.parse::<DeviceId>().ok();
        let ip = name.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let devices = lock(&self.inner.devices);
        let mut devices = devices.values();
        devices
            .find(|d| Some(d.id) == id || d.addresses.iter().any(|a| Some(a.ip()) == ip))
            .cloned()
    }

    /// The streams that have readers now, with their accounts and how many readers each has.
    #[must_use]
    pub fn streams(&self) -> Vec<(StreamInfo, RxStats, usize)> {
        let watched = self.running().into_iter().filter(|s| s.hub.readers() > 0);
        watched.map(|s| (s.info.clone(), s.stats(), s.hub.readers())).collect()
    }

    /// What all streams received so far, also those that ended: every number only grows.
    #[must_use]
    pub fn totals(&self) -> RxStats {
        self.running().iter().for_each(|shared| shared.settle());
        self.inner.totals.read()
    }

    fn running(&self) -> Vec<Arc<Shared>> {
        let slots: Vec<Slot> = lock(&self.inner.streams).values().cloned().collect();
        slots.iter().filter_map(|slot| slot.try_lock().ok()?.upgrade()).collect()
    }

    /// A reader of the channel: of the stream that is there, or of a new one.
    ///
    /// Callers that come while a channel is being opened wait for it and share it; when it
    /// failed for one, the next tries anew.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; whatever was taken until then is released.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, what was taken is released in the background.
    pub async fn open(
        &self,
        device: &Device,
        request: &TuneRequest,
    ) -> Result<TunerStream, OpenError> {
        let key = (device.id, request.clone());
        let slot = Arc::clone(lock(&self.inner.streams).entry(key).or_default());
        let mut current = slot.lock().await;
        if let Some(shared) = current.upgrade() {
            if let Some(subscription) = shared.hub.subscribe() {
                return Ok(TunerStream::new(shared, subscription));
            }
            // The last reader has just left: its tuner will be free in a moment.
            let mut released = shared.released.clone();
            drop(shared);
            let _ = released.wait_for(|released| *released).await;
        }
        let stream = self.open_new(device, request).await?;
        *current = stream.downgrade();
        drop(current);
        self.tidy();
        Ok(stream)
    }

    /// Tries one channel number after the other, in the device's own map, and reports each.
    ///
    /// A number takes a quarter of a second without a signal, some seconds with one.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the tuner is released whatever happens.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the tuner is released in the background.
    pub async fn scan(
        &self,
        device: &Device,
        numbers: impl IntoIterator<Item = u16>,
        report: impl FnMut(ScanStep),
    ) -> Result<(), OpenError> {
        self.opening(device.id)?.scan(device, numbers, report).await
    }

    async fn open_new(
        &self,
        device: &Device,
        request: &TuneRequest,
    ) -> Result<TunerStream, OpenError> {
        let opened = self.opening(device.id)?.open(device, request).await;
        let mut failures = lock(&self.inner.failures);
        match opened {
            Ok(stream) => {
                failures.remove(&(device.id, stream.info().tuner));
                Ok(stream)
            }
            Err(failed) => {
                if let Some(tuner) = failed.tuner {
                    *failures.entry((device.id, tuner)).or_default() += 1;
                }
                Err(failed.error)
            }
        }
    }

    fn opening(&self, device: DeviceId) -> Result<Opening<'_>, OpenError> {
        let key = getrandom::u32().map_err(|error| OpenError::Socket(error.into()))?;
        Ok(Opening {
            config: &self.inner.config,
            ports: &self.inner.ports,
            journal: &self.inner.journal,
            order: self.order(device),
            // 0 means "no lock".
            key: key.max(1),
            totals: &self.inner.totals,
        })
    }

    /// Tuners that failed least first.
    fn order(&self, device: DeviceId) -> Vec<u8> {
        let failures = lock(&self.inner.failures);
        let mut order: Vec<u8> = (0..MOST_TUNERS).collect();
        order.sort_by_key(|tuner| failures.get(&(device, *tuner)).copied().unwrap_or_default());
        order
    }

    /// Forgets channels that nobody watches and nobody opens.
    fn tidy(&self) {
        lock(&self.inner.streams).retain(|_, slot| {
            let in_use = Arc::strong_count(slot) > 1;
            in_use || slot.try_lock().map_or(true, |shared| shared.strong_count() > 0)
        });
    }
}

/// Nothing that runs under these locks can leave a map half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
