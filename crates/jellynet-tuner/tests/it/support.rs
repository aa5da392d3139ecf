//! What the tests have in common.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_tuner::Channel;
use jellynet_tuner::discover::Device;
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::sim::{SimConfig, Simulator};
use jellynet_tuner::tune::{TuneRequest, Tuners, TunersConfig};

pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A runtime that stays on its thread, and so in its network namespace.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A device on the loopback network and tuners that know its ports.
pub(crate) struct Bench {
    pub(crate) sim: Simulator,
    pub(crate) tuners: Tuners,
    pub(crate) device: Device,
}

impl Bench {
    pub(crate) async fn new(
        device: impl FnOnce(&mut SimConfig),
        tuners: impl FnOnce(&mut TunersConfig),
    ) -> Self {
        let mut config = SimConfig::on_loopback(LOCALHOST);
        device(&mut config);
        let (id, count) = (config.id, config.tuners);
        let sim = Simulator::start(config).await.unwrap();
        let mut device = Device::at(id, sim.address());
        device.tuner_count = count;
        let mut config = TunersConfig::default();
        config.keepalive_port = sim.stream_port();
        config.control.timeout = Duration::from_millis(500);
        config.stall = Duration::from_millis(300);
        config.data_wait = Duration::from_millis(400);
        config.signal_wait = Duration::from_millis(300);
        tuners(&mut config);
        let ports = TunerPorts::new(PortPolicy::in_range(21_000..=25_000)).unwrap();
        Self { sim, tuners: Tuners::new(ports, config).unwrap(), device }
    }

    /// Waits until nobody has any tuner, as everyone may expect after an error.
    pub(crate) async fn all_free(&self) {
        for tuner in 0..self.device.tuner_count {
            wait_until("a free tuner", || self.sim.tuner(tuner).unwrap().is_free()).await;
        }
        wait_until("a free port", || self.tuners.ports().leased().is_empty()).await;
    }
}

pub(crate) fn request(channel: &str) -> TuneRequest {
    TuneRequest::new(channel.parse::<Channel>().unwrap())
}

/// Waits for something that happens in the background, within five seconds.
pub(crate) async fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while !condition() {
            tick.tick().await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert!(outcome.is_ok(), "waited in vain for {what}");
}

type Task = Box<dyn FnOnce(&Simulator) + Send>;

/// A device in a network namespace, on a thread of its own, until it is dropped.
pub(crate) struct RemoteSim {
    tasks: Option<tokio::sync::mpsc::UnboundedSender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl RemoteSim {
    pub(crate) fn start(namespace: &Namespace, config: SimConfig) -> Self {
        let (tasks, mut inbox) = tokio::sync::mpsc::unbounded_channel::<Task>();
        let (ready, started) = mpsc::channel();
        let thread = namespace.run(|| {
            // Threads inherit the namespace of the one that starts them.
            thread::spawn(move || {
                runtime().block_on(async move {
                    let sim = Simulator::start(config).await;
                    ready.send(sim.as_ref().map(drop).map_err(ToString::to_string)).unwrap();
                    let sim = sim.unwrap();
                    while let Some(task) = inbox.recv().await {
                        task(&sim);
                    }
                });
            })
        });
        started.recv().unwrap().unwrap();
        Self { tasks: Some(tasks), thread: Some(thread) }
    }

    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Simulator) -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = mpsc::channel();
        let task: Task = Box::new(move |sim| drop(answer.send(question(sim))));
        assert!(self.tasks.as_ref().unwrap().send(task).is_ok());
        answered.recv().unwrap()
    }
}

impl Drop for RemoteSim {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Two namespaces with a link: this host at 10.99.0.1, the device at 10.99.0.2.
pub(crate) fn two_hosts() -> Option<(Namespace, Namespace)> {
    let host = Namespace::new("jellynet-tuner")?;
    let device = Namespace::new("jellynet-tuner")?;
    host.link("vc", &device, "vd");
    for (end, address) in [("1", "10.99.0.1/24"), ("2", "10.99.0.2/24")] {
        let (namespace, interface) = if end == "1" { (&host, "vc") } else { (&device, "vd") };
        namespace.address(interface, address);
        namespace.address(interface, &format!("fd99::{end}/64"));
        // Usable at once; the one that the kernel makes is tentative for more than a second.
        namespace.address(interface, &format!("fe80::{end}/64"));
    }
    Some((host, device))
}
