//! The vendor's client, as Debian packages it, against the simulated device; and this crate's
//! discovery on the same wire.

use std::path::PathBuf;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process, Program};
use jellynet_tuner::discover::{SeekConfig, Target, discover};
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::sim::SimConfig;
use jellynet_tuner::tune::{Tuners, TunersConfig};

use crate::support::{RemoteSim, request, runtime, two_hosts};

const LONG: Duration = Duration::from_secs(10);

/// The client in its namespace, with the id or address that it talks to.
struct Client<'a> {
    program: &'a Program,
    namespace: &'a Namespace,
}

impl Client<'_> {
    fn start(&self, arguments: &str) -> Process {
        let mut command = self.program.command();
        command.args(arguments.split(' '));
        self.namespace.spawn(command)
    }

    fn run(&self, arguments: &str) -> String {
        let process = self.start(arguments);
        process.wait(LONG);
        process.output()
    }
}

fn client() -> Option<Program> {
    // It has no option that only tells its version.
    peer::find_with("hdhomerun_config", &[])
}

#[test]
fn it_discovers_reads_sets_and_locks() {
    let (Some(program), Some((host, device))) = (client(), two_hosts()) else {
        return;
    };
    let sim = RemoteSim::start(&device, SimConfig::default());
    let client = Client { program: &program, namespace: &host };
    let found = "hdhomerun device 10A5B1C0 found at 10.99.0.2";
    assert!(client.run("discover").contains(found));
    assert!(client.run("discover 10.99.0.2").contains(found));
    for (arguments, expected) in [
        ("10A5B1C0 get /sys/model", "hdhomerun3_atsc"),
        ("10A5B1C0 get help", "/tuner<n>/vchannel"),
        ("10.99.0.2 get /tuner0/status", "ch=none"),
        ("10A5B1C0 set /tuner0/channel 8vsb:183000000", "8vsb:183000000"),
        ("10A5B1C0 get /tuner0/streaminfo", "3: 5.1 KTST-HD"),
        ("10A5B1C0 set /tuner0/program 3", "3"),
        ("10A5B1C0 get /tuner0/nonsense", "ERROR: unknown getset variable"),
        ("10A5B1C0 set /tuner1/lockkey 12345", "10.99.0.1"),
        ("10A5B1C0 set /tuner1/channel 8vsb:183000000", "ERROR: resource locked by 10.99.0.1"),
        ("10A5B1C0 key 12345 set /tuner1/channel 8vsb:189000000", "8vsb:189000000"),
        ("10A5B1C0 key 12345 set /tuner1/lockkey none", "none"),
    ] {
        let output = client.run(arguments);
        // A set prints nothing or the value, depending on the release; an error always.
        let quiet = arguments.contains(" set ") && output.trim().is_empty();
        assert!(quiet || output.contains(expected), "{arguments}: {output}");
    }
    let view = sim.ask(|sim| (sim.tuner(0).unwrap().channel, sim.tuner(1).unwrap()));
    assert_eq!(view.0, "8vsb:183000000");
    assert_eq!((view.1.channel.as_str(), view.1.locked_by), ("8vsb:189000000", None));
}

#[test]
fn it_scans() {
    let (Some(program), Some((host, device))) = (client(), two_hosts()) else {
        return;
    };
    let mut config = SimConfig::default();
    // It scans downwards from the highest channel.
    for channel in [36, 35] {
        let frequency = (473 + 6 * (channel - 14)) * 1_000_000;
        let programs = [(1, "36.1", "KSCAN")];
        let channel = jellynet_tuner::sim::SimChannel::new(frequency, "8vsb", programs);
        config.channels.push(channel);
    }
    let _sim = RemoteSim::start(&device, config);
    let client = Client { program: &program, namespace: &host };
    let scan = client.start("10A5B1C0 scan 0");
    scan.wait_for_line("SCANNING: ", LONG);
    scan.wait_for_line("LOCK: 8vsb (ss=83 snq=90 seq=100)", Duration::from_secs(30));
    scan.wait_for_line("PROGRAM 1: 36.1 KSCAN", LONG);
}

/// Saves with the vendor's client for a while; returns its account and what was sent.
fn save(drop_every: Option<u64>, rtp: bool) -> Option<(String, u64)> {
    let (program, (host, device)) = (client()?, two_hosts()?);
    let mut config = SimConfig::default();
    config.faults.drop_every = drop_every;
    config.rtp = rtp;
    let sim = RemoteSim::start(&device, config);
    let client = Client { program: &program, namespace: &host };
    client.run("10A5B1C0 set /tuner0/channel 8vsb:183000000");
    let file = scratch();
    let saving = client.start(&format!("10A5B1C0 save /tuner0 {}", file.display()));
    peer::wait_until("2500 datagrams", LONG, move || sim.ask(|sim| sim.stats().sent) > 2_500);
    saving.interrupt();
    saving.wait(LONG);
    let _ = std::fs::remove_file(file);
    let output = saving.output();
    let account = output.lines().find(|l| l.contains("packets received")).unwrap_or_else(|| {
        panic!("no account: {output}");
    });
    let number = |suffix: &str| {
        let part = account.split(", ").find_map(|p| p.strip_suffix(suffix));
        part.unwrap_or_else(|| panic!("{account}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(number(" transport errors"), 0_u64, "{account}");
    let network = number(" network errors");
    Some((account.to_owned(), network))
}

fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("jellynet-tuner-{}.ts", std::process::id()))
}

#[test]
fn it_saves_without_an_error_and_counts_losses_as_this_crate_does() {
    let Some((account, network)) = save(None, true) else {
        return;
    };
    assert!(network == 0 && account.contains(" 0 overflow errors, 0 network errors"), "{account}");
    let (account, network) = save(None, false).unwrap();
    assert_eq!(network, 0, "{account}");

    let (account, theirs) = save(Some(500), true).unwrap();
    let ours = receive(500, 2_500);
    println!("the vendor's client: {account}; this crate: {ours:?}");
    // One of 500 of about 2500 datagrams, less the first 64 ms, which it throws away.
    assert!((3..=6).contains(&theirs), "{account}");
    assert!(ours.0.abs_diff(theirs) <= 1, "{ours:?} instead of {theirs}");
    assert_eq!(ours.0, ours.1, "each loss that we count was one that the device made");
}

/// Receives the same with this crate: what is counted as lost, and what was lost on purpose.
fn receive(drop_every: u64, datagrams: u64) -> (u64, u64) {
    let (host, device) = two_hosts().unwrap();
    let mut config = SimConfig::default();
    config.faults.drop_every = Some(drop_every);
    let sim = RemoteSim::start(&device, config);
    host.run(|| {
        runtime().block_on(async {
            let device = find(Target::All).await;
            let tuners = tuners(PortPolicy::default());
            let channel = request("8vsb:183000000");
            let mut stream = tuners.open(&device, &channel).await.unwrap();
            while stream.stats().datagrams < datagrams {
                stream.next().await.unwrap().unwrap();
            }
            let dropped = sim.ask(|sim| {
                sim.faults(|f| f.drop_every = None);
                sim.stats().dropped
            });
            // What follows a loss makes it known.
            let upto = stream.stats().datagrams + 200;
            while stream.stats().datagrams < upto {
                stream.next().await.unwrap().unwrap();
            }
            let stats = stream.close().await;
            assert_eq!((stats.kernel_dropped, stats.rtp_late), (Some(0), 0));
            (stats.network_lost(), dropped)
        })
    })
}

fn tuners(policy: PortPolicy) -> Tuners {
    Tuners::new(TunerPorts::new(policy).unwrap(), TunersConfig::default()).unwrap()
}

async fn find(target: Target) -> jellynet_tuner::discover::Device {
    let found = discover(SeekConfig::new(target)).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn this_crate_discovers_by_broadcast_by_group_by_id_and_by_address() {
    let Some((host, device)) = two_hosts() else {
        return;
    };
    let index = device.run(|| {
        let table = jellynet_netif::interfaces().unwrap();
        table.by_name("vd").unwrap().index
    });
    let mut v6 = SimConfig::default();
    v6.address = "::".parse().unwrap();
    v6.interfaces = vec![index];
    let mut old = SimConfig::default();
    old.legacy = true;
    let _v6 = RemoteSim::start(&device, v6);
    let _v4 = RemoteSim::start(&device, old);
    host.run(|| {
        runtime().block_on(async {
            let device = find(Target::All).await;
            let addresses: Vec<_> = device.addresses.iter().map(ToString::to_string).collect();
            assert_eq!(addresses[..2], ["10.99.0.2:65001", "[fd99::2]:65001"]);
            assert!(addresses[2].starts_with("[fe80::"), "{addresses:?}");
            assert_eq!(device.tuner_count, 2, "from the modern answer");
            find(Target::Device(device.id)).await;
            for address in device.addresses {
                find(Target::Host(address.ip())).await;
            }
            let nobody = SeekConfig::new(Target::Host("10.99.0.77".parse().unwrap()));
            assert_eq!(discover(nobody).await.unwrap(), []);
        });
    });
}

#[test]
fn a_stream_comes_over_ipv6_also_from_a_link_local_address() {
    let Some((host, device)) = two_hosts() else {
        return;
    };
    let mut config = SimConfig::default();
    config.address = "::".parse().unwrap();
    let _sim = RemoteSim::start(&device, config);
    host.run(|| {
        runtime().block_on(async {
            for (address, target) in [("fd99::2", "[fd99::1]:"), ("fe80::2", "[fe80::1]:")] {
                let device = find(Target::Host(address.parse().unwrap())).await;
                let tuners = tuners(PortPolicy::default());
                let channel = request("8vsb:183000000");
                let mut stream = tuners.open(&device, &channel).await.unwrap();
                // Without a zone: the device would not know it.
                assert!(stream.info().target.to_string().starts_with(target), "{address}");
                while stream.stats().datagrams < 500 {
                    stream.next().await.unwrap().unwrap();
                }
                let stats = stream.close().await;
                assert!(stats.is_clean(), "{address}: {stats:?}");
            }
        });
    });
}
