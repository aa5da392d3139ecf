//! A control session with a device that misbehaves.

use std::time::Duration;

use jellynet_tuner::control::{Control, ControlError, ControlOptions};
use jellynet_tuner::sim::{Faults, SimConfig, Simulator};

use crate::support::LOCALHOST;

async fn session(faults: impl FnOnce(&mut Faults)) -> (Simulator, Control) {
    let mut config = SimConfig::on_loopback(LOCALHOST);
    faults(&mut config.faults);
    let sim = Simulator::start(config).await.unwrap();
    let mut options = ControlOptions::default();
    options.timeout = Duration::from_millis(300);
    let control = Control::new(sim.address(), options);
    (sim, control)
}

#[tokio::test]
async fn variables_are_read_and_set_on_one_connection() {
    let (sim, mut control) = session(|_| {}).await;
    assert_eq!(control.get("/sys/model").await.unwrap(), "hdhomerun3_atsc");
    let set = control.set("/tuner0/channel", "8vsb:183000000", None).await.unwrap();
    assert_eq!(set, "8vsb:183000000");
    let info = control.get("/tuner0/streaminfo").await.unwrap();
    assert!(info.contains("3: 5.1 KTST-HD"), "{info}");
    let help = control.get("help").await.unwrap();
    assert!(help.len() > 127, "needs the two-byte length");
    assert_eq!((control.reconnects(), sim.stats().requests), (0, 4));
}

#[tokio::test]
async fn oddities_that_are_no_errors_do_no_harm() {
    for (name, faults) in [
        ("dribble", (|f| f.dribble = true) as fn(&mut Faults)),
        ("unknown tags", |f| f.unknown_tags = true),
        ("delay", |f| f.delay = Some(Duration::from_millis(100))),
        ("two replies", |f| f.two_replies = true),
        ("one hang-up", |f| f.hang_up = 1),
    ] {
        let (_sim, mut control) = session(faults).await;
        for (variable, value) in [("/sys/version", "20250506"), ("/tuner1/target", "none")] {
            assert_eq!(control.get(variable).await.unwrap(), value, "{name}");
        }
    }
}

#[tokio::test]
async fn each_fault_has_its_error() {
    type Check = fn(&ControlError) -> bool;
    let cases: [(&str, fn(&mut Faults), Check); 6] = [
        (
            "silence",
            |f| f.silent = true,
            |e| matches!(e, ControlError::TimedOut { operation: "answer", .. }),
        ),
        (
            "too slow",
            |f| f.delay = Some(Duration::from_secs(2)),
            |e| matches!(e, ControlError::TimedOut { .. }),
        ),
        ("damaged", |f| f.bad_crc = true, |e| matches!(e, ControlError::Malformed { .. })),
        (
            "truncated",
            |f| f.truncated_length = true,
            |e| matches!(e, ControlError::Malformed { .. }),
        ),
        ("cut off", |f| f.cut_off = true, |e| matches!(e, ControlError::Io { .. })),
        ("two hang-ups", |f| f.hang_up = 2, |e| matches!(e, ControlError::Closed { .. })),
    ];
    for (name, faults, expected) in cases {
        let (sim, mut control) = session(faults).await;
        let error = control.get("/sys/model").await.unwrap_err();
        assert!(expected(&error), "{name}: {error:?}");
        assert_eq!(control.reconnects(), 1, "{name}: asked once more");
        sim.faults(|f| *f = Faults::default());
        assert!(control.get("/sys/model").await.is_ok(), "{name}: and is over it");
    }
}

#[tokio::test]
async fn a_refusal_has_its_name_and_is_not_asked_again() {
    let (sim, mut control) = session(|_| {}).await;
    let error = control.get("/tuner0/nonsense").await.unwrap_err();
    assert!(
        matches!(&error, ControlError::UnknownVariable { name, .. } if name == "/tuner0/nonsense")
    );
    control.set("/tuner0/lockkey", "12345", None).await.unwrap();
    let error = control.set("/tuner0/channel", "auto:33", Some(1)).await.unwrap_err();
    assert!(matches!(&error, ControlError::Locked { owner, .. } if owner == "127.0.0.1"));
    control.set("/tuner0/channel", "auto:33", Some(12345)).await.unwrap();
    sim.faults(|f| f.busy = true);
    let error = control.set("/tuner0/channel", "auto:34", Some(12345)).await.unwrap_err();
    assert!(matches!(error, ControlError::Busy { .. }));
    sim.faults(|f| f.busy = false);
    let error = control.set("/tuner0/channel", "rubbish", Some(12345)).await.unwrap_err();
    assert!(matches!(&error, ControlError::Rejected { text, .. } if text == "invalid channel"));
    assert_eq!((control.reconnects(), sim.stats().requests), (0, 6));
}

#[tokio::test]
async fn a_device_that_is_not_there_cannot_be_connected_to() {
    let (sim, mut control) = session(|_| {}).await;
    drop(sim);
    tokio::task::yield_now().await;
    let error = control.get("/sys/model").await.unwrap_err();
    assert!(
        matches!(error, ControlError::Connect { .. } | ControlError::Closed { .. }),
        "{error:?}"
    );
}
