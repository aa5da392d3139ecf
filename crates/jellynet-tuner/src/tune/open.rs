//! From a request to a running stream, step by step.

use std::sync::Arc;
use std::time::Duration;

use jellynet_netif::InterfaceTable;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::config::{TuneRequest, TunersConfig};
use super::error::OpenError;
use super::hub::Hub;
use super::inlet::Inlet;
use super::lock::TunerLock;
use super::pump::{Keepalive, Receiver, pump};
use super::stream::{Shared, StreamInfo, Totals, Transport, TunerStream};
use super::supervise::Supervisor;
use crate::channel::Channel;
use crate::control::{Control, ControlError};
use crate::discover::Device;
use crate::doctor::Blocked;
use crate::journal::Journal;
use crate::ports::{BindAt, DropCounter, PortLease, TunerPorts};
use crate::rx::{Assembler, AssemblerConfig};
use crate::status::{StopReason, TunerStatus};

/// How often a tuner is asked for its signal: right after tuning it still shows the old one.
pub(super) const POLL: Duration = Duration::from_millis(250);

/// What opening needs of its surroundings.
pub(super) struct Opening<'a> {
    pub(super) config: &'a TunersConfig,
    pub(super) ports: &'a TunerPorts,
    pub(super) journal: &'a Arc<Journal>,
    /// The tuners of the device in the order in which they are tried.
    pub(super) order: Vec<u8>,
    pub(super) key: u32,
    pub(super) totals: &'a Arc<Totals>,
}

/// Why there is no stream, and on which tuner, where one was locked.
pub(super) struct Failed {
    pub(super) error: OpenError,
    pub(super) tuner: Option<u8>,
}

impl From<OpenError> for Failed {
    fn from(error: OpenError) -> Self {
        Self { error, tuner: None }
    }
}

impl Opening<'_> {
    pub(super) async fn open(
        self,
        device: &Device,
        request: &TuneRequest,
    ) -> Result<TunerStream, Failed> {
        let address = device.address().ok_or(OpenError::NoAddress { device: device.id })?;
        let control = Control::new(address, self.config.control);
        let lease = self.lease(device, request, address)?;
        let mut lock = self.lock(device, request.tuner, control).await?;
        let tuner = Some(lock.tuner());
        match self.start(device, request, lease, &mut lock).await {
            Ok(started) => Ok(started.supervise(lock, self.config)),
            Err(error) => {
                lock.release().await;
                Err(Failed { error, tuner })
            }
        }
    }

    fn lease(
        &self,
        device: &Device,
        request: &TuneRequest,
        address: std::net::SocketAddr,
    ) -> Result<PortLease, OpenError> {
        let at = self.config.bind.unwrap_or(BindAt::Towards(address));
        let label = format!("{} {}", device.id, request.channel);
        let leased = self.ports.lease(at, self.config.rx, &label);
        leased.map_err(OpenError::Port)
    }

    async fn start(
        &self,
        device: &Device,
        request: &TuneRequest,
        lease: PortLease,
        lock: &mut TunerLock,
    ) -> Result<Started, OpenError> {
        let status = self.tune(&request.channel, lock).await?;
        let (local, target, granted) = (lease.local_addr(), lease.advertised(), lease.granted());
        let drops = DropCounter::of(lease.socket());
        let (socket, reservation) = lease.into_parts();
        let inlet = Arc::new(Inlet::new(socket));
        // Nothing can have been sent to us yet but a late packet for the port's last holder.
        inlet.discard();
        let mut to = lock.device();
        to.set_port(self.config.keepalive_port);
        let keepalive = Keepalive { to, key: lock.key(), every: self.config.keepalive };
        inlet.keepalive(keepalive.key, keepalive.to);
        let transport = set_target(lock, target).await?;
        let (hub, subscription) = Hub::new(self.config.reader_lag);
        let (released, on_release) = watch::channel(false);
        let info = StreamInfo {
            device: device.id,
            address: lock.device(),
            tuner: lock.tuner(),
            channel: request.channel.clone(),
            transport,
            local,
            target,
            granted,
        };
        let totals = Arc::clone(self.totals);
        let shared = Shared::new(info, hub, drops, status, totals, on_release);
        let shared = Arc::new(shared);
        let assembler = Assembler::new(&AssemblerConfig::from_source(to.ip()));
        let receiver = self.receiver(&inlet)?;
        let pump = pump(Arc::clone(&inlet), receiver, assembler, keepalive, Arc::clone(&shared));
        let started = Started {
            pump: AbortOnDrop(tokio::spawn(pump)),
            stream: TunerStream::new(Arc::clone(&shared), subscription),
            shared,
            inlet,
            reservation,
            released,
        };
        self.first_data(&started, lock).await?;
        Ok(started)
    }

    #[cfg(feature = "gro")]
    fn receiver(&self, inlet: &Inlet) -> Result<Receiver, OpenError> {
        if !self.config.gro {
            return Ok(Receiver::single());
        }
        let aggregated = super::pump::gro::Aggregated::new(inlet.socket());
        aggregated.map(Receiver::Aggregated).map_err(OpenError::Socket)
    }

    #[cfg(not(feature = "gro"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the other one needs them")]
    fn receiver(&self, _: &Inlet) -> Result<Receiver, OpenError> {
        Ok(Receiver::single())
    }

    /// Sets the channel, waits for the signal, and then sets the programme, which the device
    /// looks up in the signal.
    async fn tune(
        &self,
        channel: &Channel,
        lock: &mut TunerLock,
    ) -> Result<TunerStatus, OpenError> {
        set_channel(lock, channel).await?;
        let deadline = Instant::now() + self.config.signal_wait;
        let status = loop {
            sleep(POLL).await;
            let status = lock.get("status").await.map_err(OpenError::Control)?;
            let status = TunerStatus::parse(&status);
            if status.is_locked() {
                break status;
            }
            if Instant::now() >= deadline {
                let channel = channel.to_string();
                return Err(if status.has_signal() {
                    OpenError::NoLock { channel, status }
                } else {
                    OpenError::NoSignal { channel, status }
                });
            }
        };
        set_program(lock, channel).await?;
        Ok(status)
    }

    /// Waits for the first datagram, or says why there is none.
    async fn first_data(&self, started: &Started, lock: &mut TunerLock) -> Result<(), OpenError> {
        let deadline = Instant::now() + self.config.data_wait;
        let mut check = Duration::from_millis(5);
        let arrived = async {
            while started.shared.datagrams() == 0 {
                sleep(check).await;
                check = (check * 2).min(Duration::from_millis(50));
            }
        };
        if timeout_at(deadline, arrived).await.is_ok() {
            return Ok(());
        }
        let status = lock.get("status").await.map_err(OpenError::Control)?;
        let status = TunerStatus::parse(&status);
        // Not every firmware has the variable.
        let debug = lock.get("debug").await.unwrap_or_default();
        let rejected = StopReason::parse(&debug) == Some(StopReason::Rejected);
        let info = started.stream.info();
        if status.packets_per_second == 0 && !rejected {
            return Err(OpenError::LockedNoData {
                channel: info.channel.to_string(),
                after: self.config.data_wait,
                status,
            });
        }
        Err(OpenError::DataBlocked(Box::new(Blocked {
            device: info.address.ip(),
            target: info.target,
            local: info.local,
            interface: interface_of(info.local.ip()),
            ports: self.ports.policy().range.clone(),
            packets_per_second: status.packets_per_second,
            rejected,
        })))
    }
}

/// A stream that runs, not yet looked after.
struct Started {
    pump: AbortOnDrop,
    stream: TunerStream,
    shared: Arc<Shared>,
    inlet: Arc<Inlet>,
    reservation: crate::ports::Reservation,
    released: watch::Sender<bool>,
}

impl Started {
    fn supervise(self, lock: TunerLock, config: &TunersConfig) -> TunerStream {
        let supervisor = Supervisor {
            lock,
            shared: self.shared,
            inlet: self.inlet,
            pump: self.pump,
            reservation: self.reservation,
            released: self.released,
            stall: config.stall,
            recoveries: config.recoveries,
        };
        tokio::spawn(supervisor.run());
        self.stream
    }
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(super) struct AbortOnDrop(pub(super) tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) async fn set_channel(lock: &mut TunerLock, channel: &Channel) -> Result<(), OpenError> {
    let (variable, value) = match channel {
        Channel::Virtual { number } => ("vchannel", number),
        Channel::Physical { channel, .. } => ("channel", channel),
    };
    set(lock, variable, value).await
}

pub(super) async fn set_program(lock: &mut TunerLock, channel: &Channel) -> Result<(), OpenError> {
    match channel {
        Channel::Physical { program: Some(program), .. } => {
            set(lock, "program", &program.to_string()).await
        }
        Channel::Physical { program: None, .. } | Channel::Virtual { .. } => Ok(()),
    }
}

/// RTP where the device takes it; only its refusal is a reason for plain UDP.
pub(super) async fn set_target(
    lock: &mut TunerLock,
    target: std::net::SocketAddr,
) -> Result<Transport, OpenError> {
    match set(lock, "target", &format!("rtp://{target}")).await {
        Ok(()) => Ok(Transport::Rtp),
        Err(OpenError::Rejected { source, .. })
            if matches!(*source, ControlError::Rejected { .. }) =>
        {
            set(lock, "target", &format!("udp://{target}")).await?;
            Ok(Transport::Udp)
        }
        Err(error) => Err(error),
    }
}

async fn set(lock: &mut TunerLock, variable: &'static str, value: &str) -> Result<(), OpenError> {
    lock.set(variable, value).await.map_err(|source| {
        if source.is_refusal() {
            OpenError::Rejected { variable, value: value.to_owned(), source: Box::new(source) }
        } else {
            OpenError::Control(source)
        }
    })
}

/// For a message only: without it the message is shorter.
fn interface_of(local: std::net::IpAddr) -> Option<String> {
    let table: InterfaceTable = jellynet_netif::interfaces().ok()?;
    table.holding(local).map(|i| i.name.clone())
}
