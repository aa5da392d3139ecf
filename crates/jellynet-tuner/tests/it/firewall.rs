//! Streams through a stateful firewall and through address translation, by nftables.

use std::process::Command;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Program};
use jellynet_tuner::DeviceId;
use jellynet_tuner::discover::Device;
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::rx::RxStats;
use jellynet_tuner::sim::SimConfig;
use jellynet_tuner::tune::{OpenError, Tuners, TunersConfig};

use crate::support::{RemoteSim, request, runtime, two_hosts};

fn nft() -> Option<Program> {
    peer::find("nft")
}

fn rules(nft: &Program, namespace: &Namespace, rules: &str) {
    let mut command: Command = nft.command();
    command.arg(rules);
    let process = namespace.spawn(command);
    let status = process.wait(Duration::from_secs(5));
    assert!(status.success(), "{}", process.output());
}

const STATEFUL: &str = "table inet filter { chain input { \
    type filter hook input priority 0; policy drop; \
    iifname lo accept; ct state established,related accept; }; }";

fn device() -> Device {
    let mut device = Device::at(DeviceId::mint(0x10A5_B1C0), "10.99.0.2:65001".parse().unwrap());
    device.tuner_count = 2;
    device
}

/// Opens a channel inside `namespace` and reads for a moment.
fn watch(namespace: &Namespace, policy: PortPolicy) -> Result<RxStats, OpenError> {
    namespace.run(|| {
        runtime().block_on(async {
            let mut config = TunersConfig::default();
            config.data_wait = Duration::from_millis(600);
            let ports = TunerPorts::new(policy).unwrap();
            let tuners = Tuners::new(ports, config).unwrap();
            let mut stream = tuners.open(&device(), &request("8vsb:183000000")).await?;
            while stream.stats().datagrams < 1_500 {
                stream.next().await.unwrap().unwrap();
            }
            Ok(stream.close().await)
        })
    })
}

fn small_range() -> PortPolicy {
    PortPolicy::in_range(61_000..=61_015)
}

#[test]
fn a_stateful_firewall_lets_the_stream_in_because_a_keepalive_went_out() {
    let (Some(nft), Some((host, device))) = (nft(), two_hosts()) else {
        return;
    };
    let _sim = RemoteSim::start(&device, SimConfig::default());
    rules(&nft, &host, STATEFUL);
    let stats = watch(&host, PortPolicy::default()).unwrap();
    assert!(stats.is_clean(), "{stats:?}");
}

#[test]
fn a_firewall_that_blocks_is_named_with_the_rule_that_opens_it() {
    let (Some(nft), Some((host, device))) = (nft(), two_hosts()) else {
        return;
    };
    let mut config = SimConfig::default();
    // From another port the keepalive opens nothing.
    config.random_source_port = true;
    let sim = RemoteSim::start(&device, config);
    rules(&nft, &host, STATEFUL);
    let error = watch(&host, small_range()).unwrap_err();
    let OpenError::DataBlocked(blocked) = error else {
        panic!("{error:?}");
    };
    assert_eq!((blocked.interface.as_deref(), blocked.rejected), (Some("vc"), false));
    assert!(sim.ask(|sim| sim.tuner(0).unwrap().is_free()));
    let advice = blocked.advice();
    println!("{blocked}; {}: {}", advice[0].when, advice[0].command);
    // The advice, taken at its word.
    let rule = advice[0].command.strip_prefix("nft ").unwrap();
    rules(&nft, &host, rule);
    assert!(watch(&host, small_range()).unwrap().is_clean());
}

/// A container behind its host: 172.30.0.2 behind 10.99.0.1, with masquerading.
fn container(nft: &Program, host: &Namespace, published: bool) -> Option<Namespace> {
    let inside = Namespace::new("jellynet-tuner")?;
    host.link("docker0", &inside, "eth0");
    host.address("docker0", "172.30.0.1/24");
    inside.address("eth0", "172.30.0.2/24");
    inside.default_route("172.30.0.1".parse().unwrap());
    host.forward();
    let publish = if published {
        "chain pre { type nat hook prerouting priority -100; \
         iifname vc udp dport 61000-61015 dnat to 172.30.0.2; };"
    } else {
        ""
    };
    rules(
        nft,
        host,
        &format!(
            "table ip nat {{ {publish} chain post {{ type nat hook postrouting priority 100; \
             oifname vc masquerade; }}; }}"
        ),
    );
    Some(inside)
}

#[test]
fn behind_translation_the_advertised_address_gets_the_stream() {
    for (published, random_source_port, why) in
        [(false, false, "the keepalive opened the way"), (true, true, "the ports are published")]
    {
        let (Some(nft), Some((host, device))) = (nft(), two_hosts()) else {
            return;
        };
        let mut config = SimConfig::default();
        config.random_source_port = random_source_port;
        let _sim = RemoteSim::start(&device, config);
        let inside = container(&nft, &host, published).unwrap();
        let mut policy = small_range();
        policy.advertise = Some("10.99.0.1".parse().unwrap());
        let stats = watch(&inside, policy).unwrap();
        assert!(stats.is_clean(), "{why}: {stats:?}");
    }
}

#[test]
fn behind_translation_without_one_the_doctor_says_so() {
    let (Some(nft), Some((host, device))) = (nft(), two_hosts()) else {
        return;
    };
    let mut config = SimConfig::default();
    config.random_source_port = true;
    let _sim = RemoteSim::start(&device, config);
    let inside = container(&nft, &host, false).unwrap();
    let mut policy = small_range();
    policy.advertise = Some("10.99.0.1".parse().unwrap());
    let error = watch(&inside, policy).unwrap_err();
    let OpenError::DataBlocked(blocked) = error else {
        panic!("{error:?}");
    };
    assert!(blocked.rejected, "the host answers that the port is closed");
    let advice = blocked.advice();
    assert!(advice.iter().any(|a| a.command.contains("61000-61015:61000-61015/udp")), "{advice:?}");
}
