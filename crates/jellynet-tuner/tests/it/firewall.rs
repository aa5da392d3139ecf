//! Streams through a stateful firewall and through address translation, by nftables.

use std::process::Command;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Program};
use jellynet_tuner::DeviceId;
use jellynet_tuner::discover::{Device, Target};
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::rx::RxStats;
use jellynet_tuner::sim::{SimConfig, Simulator};
use jellynet_tuner::tune::{Check, Finding, OpenError, StreamError, Tuners, TunersConfig, Verdict};

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

#[test]
fn the_doctor_goes_from_discovery_to_the_stream_and_stops_at_what_is_broken() {
    let (Some(nft), Some((host, device))) = (nft(), two_hosts()) else {
        return;
    };
    let examine = |target, channel: Option<&str>| {
        let channel = channel.map(|channel| channel.parse().unwrap());
        host.run(|| {
            runtime().block_on(async {
                let mut config = TunersConfig::default();
                config.data_wait = Duration::from_millis(600);
                config.control.timeout = Duration::from_millis(300);
                let tuners = Tuners::new(TunerPorts::new(small_range()).unwrap(), config).unwrap();
                tuners.examine(target, channel.as_ref()).await
            })
        })
    };
    let last = |findings: &[Finding]| {
        let last = findings.last().unwrap().clone();
        println!("{last}");
        (last.check, last.verdict, last.advice)
    };
    let all = || examine(Target::All, Some("8vsb:183000000"));
    let (check, verdict, advice) = last(&all());
    assert_eq!((check, verdict), (Check::Discovery, Verdict::Bad), "nobody is there");
    assert!(!advice.is_empty());

    let mut config = SimConfig::default();
    config.random_source_port = true;
    let sim = RemoteSim::start(&device, config);
    let findings = all();
    let checks: Vec<_> = findings.iter().map(|f| (f.check, f.verdict)).collect();
    let order = [Check::Discovery, Check::Control, Check::Tuner, Check::Stream];
    assert_eq!(checks, order.map(|check| (check, Verdict::Good)), "{findings:?}");
    assert_eq!(examine(Target::All, None).len(), 3, "without a channel nothing is tuned");
    let (check, verdict, _) = last(&examine(Target::All, Some("8vsb:1000000")));
    assert_eq!((check, verdict), (Check::Stream, Verdict::Unclear), "no signal is no fault");

    rules(&nft, &host, STATEFUL);
    let (check, verdict, advice) = last(&all());
    assert_eq!((check, verdict), (Check::Discovery, Verdict::Bad), "the answer is blocked");
    rules(&nft, &host, advice[0].command.strip_prefix("nft ").unwrap());
    let (check, verdict, advice) = last(&all());
    assert_eq!((check, verdict), (Check::Stream, Verdict::Bad), "the stream is blocked");
    rules(&nft, &host, advice[0].command.strip_prefix("nft ").unwrap());
    let (check, verdict, _) = last(&all());
    assert_eq!((check, verdict), (Check::Stream, Verdict::Good), "all advice was taken");

    rules(
        &nft,
        &device,
        "table inet filter { chain input { type filter hook input priority 0; \
        tcp dport 65001 drop; }; }",
    );
    let (check, verdict, _) = last(&examine(Target::Host("10.99.0.2".parse().unwrap()), None));
    assert_eq!((check, verdict), (Check::Control, Verdict::Bad), "control is blocked");
    assert!(sim.ask(|sim| (0..2).all(|t| sim.tuner(t).unwrap().is_free())));
}

/// How long it takes until the end of a running stream is told.
fn told_after(host: &Namespace, end: impl FnOnce() + Send) -> Duration {
    host.run(|| {
        runtime().block_on(async {
            let ports = TunerPorts::new(small_range()).unwrap();
            let tuners = Tuners::new(ports, TunersConfig::default()).unwrap();
            let mut stream = tuners.open(&device(), &request("8vsb:183000000")).await.unwrap();
            stream.next().await.unwrap().unwrap();
            end();
            let began = tokio::time::Instant::now();
            let error = loop {
                match stream.next().await.unwrap() {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, StreamError::DeviceGone { .. }), "{error:?}");
            began.elapsed()
        })
    })
}

#[test]
fn a_device_that_ends_is_gone_at_once_where_its_host_says_so() {
    let Some((host, device)) = two_hosts() else {
        return;
    };
    let sim = RemoteSim::start(&device, SimConfig::default());
    // Its sockets close; its host closes the control connection for it.
    let taken = told_after(&host, || drop(sim));
    println!("gone after {taken:?}");
    assert!(taken < TunersConfig::default().stall, "no time-out was waited for: {taken:?}");
}

#[test]
fn a_device_that_ends_is_gone_at_once_where_icmp_says_so() {
    let (Some(nft), Some((host, device))) = (nft(), two_hosts()) else {
        return;
    };
    let sim = RemoteSim::start(&device, SimConfig::default());
    let taken = told_after(&host, || {
        sim.ask(Simulator::vanish);
        let reject = "table inet filter { chain input { type filter hook input priority 0; \
            udp dport 5004 reject; tcp dport 65001 reject with tcp reset; }; }";
        rules(&nft, &device, reject);
    });
    println!("gone after {taken:?}");
    assert!(taken < TunersConfig::default().stall, "no time-out was waited for: {taken:?}");
}
