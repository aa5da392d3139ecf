//! Whole streams from a simulated device, good and bad.

use std::time::Duration;

use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::rx::{Gap, RxStats};
use jellynet_tuner::sim::{Faults, SimConfig};
use jellynet_tuner::tune::{
    BusyReason, OpenError, RecoverOutcome, StreamError, Transport, TunerStream, Tuners,
    TunersConfig,
};

use crate::support::{Bench, request, wait_until};

async fn plain() -> Bench {
    Bench::new(|_| {}, |_| {}).await
}

/// Reads until `packets` have come, and returns the gaps.
async fn read(stream: &mut TunerStream, packets: usize) -> Vec<Gap> {
    let mut seen = 0;
    let mut gaps = Vec::new();
    while seen < packets {
        let batch = stream.next().await.unwrap().unwrap();
        assert!(batch.data.len().is_multiple_of(188) && batch.data[0] == 0x47);
        seen += batch.data.len() / 188;
        gaps.extend(batch.gap_before);
    }
    gaps
}

#[tokio::test]
async fn a_channel_is_opened_read_and_given_back() {
    let bench = plain().await;
    let mut stream = bench.tuners.open(&bench.device, &request("8vsb:183000000-3")).await.unwrap();
    let info = stream.info().clone();
    assert_eq!((info.tuner, info.transport), (0, Transport::Rtp));
    assert_eq!(bench.sim.tuner(0).unwrap().target, Some(info.target));
    assert!(read(&mut stream, 2_000).await.is_empty());
    assert!(stream.status().is_locked());
    assert!(bench.sim.tuner(0).unwrap().greeted, "a keepalive before the target");
    let stats = stream.close().await;
    assert!(stats.is_clean() && stats.packets >= 2_000, "{stats:?}");
    assert_eq!(stats.kernel_dropped, Some(0));
    assert!(bench.sim.tuner(0).unwrap().is_free(), "closing waits for it");
    assert!(bench.tuners.ports().leased().is_empty());
}

#[tokio::test]
async fn what_the_network_lost_is_counted_to_the_packet() {
    let bench = Bench::new(|c| c.faults.drop_every = Some(50), |_| {}).await;
    let mut stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    let gaps = read(&mut stream, 7_000).await;
    let stats = stream.stats();
    assert!(!gaps.is_empty() && gaps.iter().all(|g| *g == Gap::Lost { datagrams: 1 }));
    assert!(stats.rtp_lost.abs_diff(stats.datagrams / 49) <= 1, "{stats:?}");
    assert_eq!((stats.network_lost(), stats.continuity_errors), (stats.rtp_lost, 0));
}

#[tokio::test]
async fn disorder_and_repeats_are_put_right_and_damage_is_counted() {
    let bench = Bench::new(
        |c| {
            c.faults.swap_every = Some(20);
            c.faults.duplicate_every = Some(33);
            c.faults.transport_error_every = Some(40);
        },
        |_| {},
    )
    .await;
    let mut stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    assert!(read(&mut stream, 7_000).await.is_empty());
    let stats = stream.stats();
    assert_eq!((stats.rtp_lost, stats.rtp_late), (0, 0), "{stats:?}");
    assert!(stats.rtp_reordered > 30 && stats.rtp_duplicate > 20, "{stats:?}");
    assert!(stats.transport_errors > 20, "{stats:?}");
}

#[tokio::test]
async fn a_device_without_rtp_streams_plain_udp() {
    let bench = Bench::new(|c| c.rtp = false, |_| {}).await;
    let mut stream = bench.tuners.open(&bench.device, &request("auto:189000000")).await.unwrap();
    assert_eq!(stream.info().transport, Transport::Udp);
    read(&mut stream, 1_000).await;
    assert!(stream.close().await.is_clean());
}

#[cfg(feature = "gro")]
#[tokio::test]
async fn aggregated_datagrams_make_the_same_stream() {
    let faults = |c: &mut SimConfig| c.faults.drop_every = Some(100);
    let bench = Bench::new(faults, |c| c.gro = true).await;
    let mut stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    let gaps = read(&mut stream, 2_100).await;
    let stats = stream.close().await;
    assert!(gaps.iter().all(|g| *g == Gap::Lost { datagrams: 1 }), "{gaps:?}");
    assert!(stats.rtp_lost >= 2 && stats.bad_size == 0, "{stats:?}");
    assert_eq!((stats.continuity_errors, stats.kernel_dropped), (0, Some(0)));
}

#[tokio::test]
async fn a_stranger_cannot_put_anything_into_the_stream() {
    for random_source_port in [false, true] {
        let device = |c: &mut SimConfig| {
            c.random_source_port = random_source_port;
            c.faults.injector = Some("127.0.0.66".parse().unwrap());
        };
        let bench = Bench::new(device, |_| {}).await;
        let mut stream = bench.tuners.open(&bench.device, &request("v9.2")).await.unwrap();
        read(&mut stream, 2_800).await;
        let stats = stream.stats();
        assert!(stats.is_clean(), "{stats:?}");
        // From the usual port the kernel itself keeps strangers away.
        assert_eq!(stats.foreign_source >= 3, random_source_port, "{stats:?}");
    }
}

#[tokio::test]
async fn each_fault_has_its_error_and_leaves_the_tuner_free() {
    type Check = fn(&OpenError) -> bool;
    let cases: [(&str, &str, fn(&mut Faults), Check); 7] = [
        ("no signal", "v5.1", |f| f.no_signal = true, |e| matches!(e, OpenError::NoSignal { .. })),
        ("no lock", "v5.1", |f| f.no_lock = true, |e| matches!(e, OpenError::NoLock { .. })),
        ("no data", "v5.1", |f| f.no_data = true, |e| matches!(e, OpenError::LockedNoData { .. })),
        (
            "no channel",
            "v77.7",
            |_| {},
            |e| matches!(e, OpenError::Rejected { variable: "vchannel", .. }),
        ),
        ("silence", "v5.1", |f| f.silent = true, |e| matches!(e, OpenError::Control(_))),
        ("damage", "v5.1", |f| f.bad_crc = true, |e| matches!(e, OpenError::Control(_))),
        (
            "scan",
            "v5.1",
            |f| f.busy = true,
            |e| matches!(e, OpenError::AllBusy { tuners } if tuners[0].1 == BusyReason::Scanning),
        ),
    ];
    for (name, channel, faults, expected) in cases {
        let bench = plain().await;
        bench.sim.faults(faults);
        let error = bench.tuners.open(&bench.device, &request(channel)).await.unwrap_err();
        assert!(expected(&error), "{name}: {error:?}");
        bench.sim.faults(|f| *f = Faults::default());
        bench.all_free().await;
        let mut stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
        read(&mut stream, 10).await;
        stream.close().await;
    }
}

#[tokio::test]
async fn oddities_of_the_control_session_do_not_keep_a_stream_from_starting() {
    for faults in [
        (|f| f.dribble = true) as fn(&mut Faults),
        |f| f.delay = Some(Duration::from_millis(20)),
        |f| f.unknown_tags = true,
        |f| f.two_replies = true,
        |f| f.hang_up = 1,
    ] {
        let bench = plain().await;
        bench.sim.faults(faults);
        let mut stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
        read(&mut stream, 10).await;
        stream.close().await;
        bench.all_free().await;
    }
}

#[tokio::test]
async fn tuners_in_use_are_not_taken_and_every_reason_is_told() {
    let bench = plain().await;
    let _first = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    bench.sim.steal_lock(1, "10.0.0.77".parse().unwrap());
    let error = bench.tuners.open(&bench.device, &request("v9.1")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no free tuner: tuner 0 locked by 127.0.0.1; tuner 1 locked by 10.0.0.77"
    );
    let error = bench.tuners.open(&bench.device, &request("v9.1").on_tuner(7)).await.unwrap_err();
    assert!(matches!(error, OpenError::NoSuchTuner { tuner: 7, .. }), "{error:?}");
}

#[tokio::test]
async fn a_tuner_that_somebody_left_tuned_is_the_second_choice() {
    let bench = plain().await;
    let options = jellynet_tuner::control::ControlOptions::default();
    let mut visitor = jellynet_tuner::control::Control::new(bench.sim.address(), options);
    visitor.set("/tuner0/channel", "8vsb:189000000", None).await.unwrap();
    let first = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    let second = bench.tuners.open(&bench.device, &request("v5.2")).await.unwrap();
    assert_eq!((first.info().tuner, second.info().tuner), (1, 0));
}

#[tokio::test]
async fn a_device_that_vanishes_ends_the_stream_with_its_reason() {
    let bench = Bench::new(|_| {}, |c| c.recoveries = 1).await;
    let mut stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    read(&mut stream, 100).await;
    bench.sim.vanish();
    let error = loop {
        match stream.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StreamError::DeviceGone { .. }), "{error:?}");
    assert!(stream.next().await.is_none());
    drop(stream);
    wait_until("a free port", || bench.tuners.ports().leased().is_empty()).await;
}

#[tokio::test]
async fn a_stolen_lock_ends_the_stream_and_is_left_to_the_thief() {
    let bench = plain().await;
    let mut stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    read(&mut stream, 100).await;
    let thief = "10.0.0.77".parse().unwrap();
    bench.sim.steal_lock(0, thief);
    let error = loop {
        match stream.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "the lock of tuner 0 was taken over by 10.0.0.77");
    stream.close().await;
    wait_until("a free port", || bench.tuners.ports().leased().is_empty()).await;
    assert_eq!(bench.sim.tuner(0).unwrap().locked_by, Some(thief));
    let mut next = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    assert_eq!(next.info().tuner, 1);
    read(&mut next, 10).await;
}

#[tokio::test]
async fn a_reboot_is_a_gap_and_no_end() {
    let bench = plain().await;
    let mut stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    read(&mut stream, 700).await;
    bench.sim.reboot();
    let mut gaps = Vec::new();
    while gaps.is_empty() {
        gaps = read(&mut stream, 1).await;
    }
    assert_eq!(gaps, [Gap::Restart]);
    assert_eq!(stream.stats().restarts, 1);
    stream.close().await;
    bench.all_free().await;
}

#[tokio::test]
async fn an_opening_that_is_given_up_releases_what_it_took() {
    let bench = plain().await;
    // Long enough to lock and tune, too short for the signal.
    let wanted = request("v5.1");
    let opening = bench.tuners.open(&bench.device, &wanted);
    let outcome = tokio::time::timeout(Duration::from_millis(150), opening).await;
    assert!(outcome.is_err());
    bench.all_free().await;
}

#[tokio::test]
async fn a_lock_that_a_crash_left_is_released_at_the_next_start_and_no_other() {
    let directory = std::env::temp_dir().join(format!("jellynet-tuner-it-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("locks");
    let journal = path.clone();
    let bench = Bench::new(|_| {}, move |c| c.journal = Some(journal)).await;
    let stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    // A crash: nothing of the first run does anything any more, but its file is there.
    let left = std::fs::read_to_string(&path).unwrap();
    stream.close().await;
    assert!(!std::fs::read_to_string(&path).unwrap().contains("127.0.0.1"), "struck out");
    let key: u32 = left.lines().nth(1).unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let options = jellynet_tuner::control::ControlOptions::default();
    let mut control = jellynet_tuner::control::Control::new(bench.sim.address(), options);
    control.set("/tuner0/lockkey", &key.to_string(), None).await.unwrap();
    std::fs::write(&path, left.clone() + &left.lines().nth(1).unwrap().replace(" 0 ", " 1 "))
        .unwrap();
    bench.sim.steal_lock(1, "10.0.0.77".parse().unwrap());

    let mut config = TunersConfig::default();
    config.journal = Some(path.clone());
    let ports = TunerPorts::new(PortPolicy::in_range(25_001..=25_010)).unwrap();
    let recovered = Tuners::new(ports, config).unwrap().recover().await;
    let outcomes: Vec<_> = recovered.iter().map(|r| (r.tuner, r.outcome)).collect();
    assert_eq!(outcomes, [(0, RecoverOutcome::Released), (1, RecoverOutcome::NotOurs)]);
    assert!(bench.sim.tuner(0).unwrap().is_free());
    assert!(bench.sim.tuner(1).unwrap().locked_by.is_some());
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn sixteen_channels_open_at_once_and_lose_nothing() {
    let many = |c: &mut SimConfig| {
        c.tuners = 16;
        c.packets_per_second = 190;
    };
    let bench = Bench::new(many, |c| c.signal_wait = Duration::from_secs(2)).await;
    let mut opening = tokio::task::JoinSet::new();
    for tuner in 0..16 {
        let (tuners, device) = (bench.tuners.clone(), bench.device.clone());
        opening.spawn(async move {
            let mut stream = tuners.open(&device, &request("v5.1").on_tuner(tuner)).await.unwrap();
            read(&mut stream, 300).await;
            stream
        });
    }
    let streams = opening.join_all().await;
    assert_eq!(bench.tuners.streams().len(), 16);
    for stream in streams {
        let stats = stream.close().await;
        assert!(stats.is_clean(), "{stats:?}");
    }
    bench.all_free().await;
}

#[tokio::test]
async fn a_stalled_receiver_loses_nothing_or_says_exactly_what() {
    // Not connected to the device's usual port, so that the burst from another one gets in.
    let bench = Bench::new(|c| c.random_source_port = true, |_| {}).await;
    let mut stream = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    read(&mut stream, 100).await;
    // Datagrams pile up in the kernel while this thread, which is the only one, does not run:
    // a sender of its own, because the device's tasks stand still as well.
    let target = stream.info().target;
    let before = stream.stats();
    let burst = 900;
    std::thread::spawn(move || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for sequence in 0..burst {
            let mut datagram = vec![0x80, 33];
            datagram.extend((sequence as u16).to_be_bytes());
            datagram.extend([0; 4]);
            datagram.extend([0xAB; 4]);
            datagram.extend([[0x47, 0x1F, 0xFF, 0x10].as_slice(), &[0xFF; 184]].concat().repeat(7));
            socket.send_to(&datagram, target).unwrap();
        }
    })
    .join()
    .unwrap();
    wait_until("the burst", || stream.stats().datagrams >= before.datagrams + 800).await;
    read(&mut stream, 700).await;
    let lost = |stats: &RxStats| stats.kernel_dropped.unwrap_or_default();
    let all = before.datagrams + burst;
    wait_until("the rest of it, or its loss", || {
        let stats = stream.stats();
        stats.datagrams + lost(&stats) >= all
    })
    .await;
    let stats = stream.stats();
    let promised = stream.info().granted.holds(20_000_000) >= Duration::from_millis(500);
    assert!(lost(&stats) == 0 || !promised, "{stats:?}, {:?}", stream.info().granted);
}

#[tokio::test]
async fn a_scan_finds_the_channels_with_a_signal_and_releases_the_tuner() {
    let bench = plain().await;
    let mut steps = Vec::new();
    let scan = bench.tuners.scan(&bench.device, 7..=10, |step| steps.push(step));
    scan.await.unwrap();
    let found: Vec<_> = steps
        .iter()
        .filter(|s| s.status.is_locked())
        .map(|s| (s.number, s.programs[0].name.as_str()))
        .collect();
    assert_eq!(found, [(8, "KTST-HD"), (9, "KSIM")]);
    assert_eq!(steps.len(), 4);
    bench.all_free().await;
}
