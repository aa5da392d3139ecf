//! The laws of [`Engine`], asked of an engine.
//!
//! A crate describes its engine once, as a [`Subject`], and calls [`check`] in a test. Each law
//! runs the engine through scripts of datagrams, waits and changing interfaces; a script that
//! breaks a law is made as short as it can be and shown.
//!
//! | law | what is asked |
//! | --- | --- |
//! | E1 pure | the same script gives the same bytes and time-outs, an hour later too |
//! | E2 total | no panic, no endless queue; 20,000 strangers leave the heap below [`Subject::memory_limit`] |
//! | E3 progress | each time-out, kept on time or late, is followed by none or a later one |
//! | E4 no amplification | a source gets at most [`Subject::reply_limit`] bytes per datagram, one off the link gets none |
//! | E5 local | what goes to a source leaves by the interface it came by, from an address of that interface |
//! | E6 malformed input | garbage gets no answer, is no event and is not logged above `debug` |
//!
//! # Examples
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use jellynet_netif::{Engine, InterfaceTable, Received, Transmit};
//! use jellynet_test::laws::{self, Subject};
//!
//! /// Hears everything, says nothing.
//! struct Mute;
//!
//! impl Engine for Mute {
//!     type Event = ();
//!     fn handle_datagram(&mut self, _: Instant, _: Received<'_>) {}
//!     fn handle_timeout(&mut self, _: Instant) {}
//!     fn handle_interfaces(&mut self, _: Instant, _: &InterfaceTable) {}
//!     fn poll_transmit(&mut self) -> Option<Transmit> { None }
//!     fn poll_event(&mut self) -> Option<()> { None }
//!     fn poll_timeout(&self) -> Option<Instant> { None }
//! }
//!
//! struct AMute;
//!
//! impl Subject for AMute {
//!     type Engine = Mute;
//!     fn engine(&self, _now: Instant, _seed: u64) -> Mute { Mute }
//!     fn golden(&self) -> Vec<Vec<u8>> { vec![b"psst".to_vec()] }
//!     fn reply_limit(&self) -> usize { 0 }
//! }
//!
//! laws::check(&AMute);
//! ```

use std::net::IpAddr;
use std::time::{Duration, Instant};

use jellynet_netif::Engine;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::deadline::now;
use crate::hostile;

mod logs;
mod run;
mod script;

use self::run::Run;
use self::script::{Action, Origin, Script};

/// How an engine is made, and what it is held to.
pub trait Subject {
    /// The engine.
    type Engine: Engine;

    /// Makes one. All that is random in it follows from the seed.
    fn engine(&self, now: Instant, seed: u64) -> Self::Engine;

    /// Datagrams that it understands, as real devices sent them.
    fn golden(&self) -> Vec<Vec<u8>>;

    /// The most bytes that one datagram may send back to its source.
    fn reply_limit(&self) -> usize;

    /// The most bytes that it may ever hold on the heap. Default: 1 MiB.
    fn memory_limit(&self) -> u64 {
        1 << 20
    }

    /// Where the datagrams of a script are sent to, besides the host's own addresses. Default:
    /// 255.255.255.255, 239.255.255.250 and ff02::c.
    fn destinations(&self) -> Vec<IpAddr> {
        ["255.255.255.255", "239.255.255.250", "ff02::c"]
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect()
    }

    /// Sets it to work once it knows the interfaces: starts a search, say. Default: nothing.
    fn start(&self, engine: &mut Self::Engine, now: Instant) {
        let _ = (engine, now);
    }
}

/// Asks every law.
///
/// # Panics
///
/// When the engine breaks one, naming the law and showing the shortest script that does it.
pub fn check(subject: &impl Subject) {
    pure(subject);
    total(subject);
    progress(subject);
    no_amplification(subject);
    local(subject);
    malformed_input_is_no_error(subject);
}

/// E1: the same calls give the same bytes.
pub fn pure(subject: &impl Subject) {
    for_all_scripts("E1 pure", subject, |script| {
        let begin = now();
        let first = Run::of(subject, script, begin)?;
        let second = Run::of(subject, script, begin + Duration::from_secs(3600))?;
        if first.transcript == second.transcript {
            return Ok(());
        }
        let both = first.transcript.iter().zip(&second.transcript);
        let differs = both.into_iter().find(|(one, other)| one != other);
        Err(format!("the same script gave another answer: {differs:?}"))
    });
}

/// E2: no bytes make it panic or fill the memory.
pub fn total(subject: &impl Subject) {
    for_all_scripts("E2 total", subject, |script| Run::of(subject, script, now()).map(|_| ()));
    run::flood(subject);
}

/// E3: a time-out that was kept is followed by none or a later one.
pub fn progress(subject: &impl Subject) {
    for_all_scripts("E3 progress", subject, |script| {
        let mut run = Run::of(subject, script, now())?;
        let late = [0, 0, 1, 3_000, 86_400_000].map(Duration::from_millis);
        for late in late.into_iter().cycle().take(200) {
            if !run.next_timeout(late)? {
                break;
            }
        }
        Ok(())
    });
}

/// E4: a source gets no more than the limit, and nothing if it is off the link.
pub fn no_amplification(subject: &impl Subject) {
    for_all_scripts("E4 no amplification", subject, |script| {
        let mut run = Run::of(subject, script, now())?;
        run.settle()?;
        for origin in Origin::all() {
            let (asked, sent) = run.account(&origin);
            let limit = asked * subject.reply_limit();
            if sent > limit {
                return Err(format!(
                    "{} sent {asked} datagrams from the link and got {sent} bytes, more than {limit}",
                    origin.source
                ));
            }
        }
        Ok(())
    });
}

/// E5: an answer leaves by the interface the question came by.
pub fn local(subject: &impl Subject) {
    for_all_scripts("E5 local", subject, |script| {
        let mut run = Run::of(subject, script, now())?;
        run.settle()?;
        run.strays()
    });
}

/// E6: garbage is ignored in silence.
pub fn malformed_input_is_no_error(subject: &impl Subject) {
    let garbage = hostile::garbage();
    let origins = Origin::all().into_iter().filter(|o| o.near_at_first);
    let origins: Vec<_> = origins.collect();
    for_all("E6 malformed input", &garbage, |payload| {
        let begin = now();
        let mut run = Run::start(subject, begin)?;
        let loud = logs::above_debug(|| {
            for origin in &origins {
                let before = (run.events, run.account(origin).1);
                run.act(&Action::datagram(payload, origin))?;
                if (run.events, run.account(origin).1) != before {
                    return Err("garbage got an answer or became an event".to_owned());
                }
            }
            Ok(())
        })?;
        match loud {
            None => Ok(()),
            Some(line) => Err(format!("garbage was logged: {line}")),
        }
    });
}

fn for_all_scripts<S: Subject>(
    law: &str,
    subject: &S,
    ask: impl Fn(&Script) -> Result<(), String>,
) {
    let scripts = script::scripts(subject.golden(), subject.destinations());
    for_all(law, &scripts, ask);
}

fn for_all<S: Strategy>(law: &str, strategy: &S, ask: impl Fn(&S::Value) -> Result<(), String>) {
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    // The same scripts on every run: a law that held yesterday holds today.
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, random)
        .run(strategy, |value| ask(&value).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("{law}: {error}");
    }
}
