//! Tuning: from a channel to a stream that any number of readers share.
//!
//! 1. A free tuner is one without lock, target and channel; one that was only left tuned comes
//!    second, one that failed before comes last. It is locked with a key that the journal knows
//!    first.
//! 2. Channel, then signal, then programme, then a keepalive from the receiving port, and only
//!    then the target: a firewall or an address translator lets the stream in because the
//!    keepalive went out.
//! 3. RTP is asked for; a device that refuses it is asked for plain UDP.
//! 4. Whatever fails, the target and the lock are released; so they are when the last reader
//!    leaves, when the stream's future is dropped, and at the next start after a crash.
//! 5. Silence is looked into: the target is set anew on the same port, a lost lock or device ends
//!    the stream with its reason. When the network says that nobody is there any more (a closed
//!    control connection, ICMP "port closed"), that is looked into at once.

mod choose;
mod config;
mod error;
mod examine;
mod hub;
mod inlet;
mod lock;
mod open;
mod pump;
mod record;
mod scan;
mod stream;
mod supervise;
mod tuners;

pub use self::config::{TuneRequest, TunersConfig};
pub use self::error::{BusyReason, OpenError, StreamError};
pub use self::examine::{Check, Finding, Verdict};
pub use self::lock::{RecoverOutcome, Recovered};
pub use self::record::{Progress, RecordError, Recorded, record};
pub use self::scan::ScanStep;
pub use self::stream::{StreamInfo, Transport, TunerStream};
pub use self::tuners::Tuners;
