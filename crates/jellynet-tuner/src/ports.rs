//! UDP ports to receive on, leased so that two streams never collide.
//!
//! 1. A port is never asked whether it is free: it is bound, and the bound socket is the lease.
//! 2. The search begins at a random port of the range and tries each port once.
//! 3. In use, or forbidden (Windows reserves ranges): the next port. An address that this host
//!    does not have: an error at once, because no other port would help.
//! 4. A released port rests for 2 s, so that late packets of the old channel do not reach the
//!    new one; a resting port is taken only when nothing else is free.
//! 5. `SO_REUSEADDR` and `SO_REUSEPORT` are never set: a second socket would take the stream
//!    away in silence.
//! 6. When nothing is free, the error says who holds what.

mod bind;
mod drops;
mod error;
mod holders;
mod lease;
mod policy;
mod rcvbuf;

pub use self::drops::DropCounter;
pub use self::error::PortError;
pub use self::holders::{Holder, PortHolder};
pub use self::lease::{PortLease, Reservation, RtpPair, TunerPorts};
pub use self::policy::{BindAt, Order, ParseRangeError, PortPolicy, parse_range};
pub use self::rcvbuf::{Granted, RxOptions};
