//! From datagrams to batches of transport stream packets, with an account of what is missing.
//!
//! Pure: bytes and time go in, batches come out. The rule:
//!
//! 1. A datagram from another address than the tuner's is counted and dropped.
//! 2. RTP and plain transport stream are told apart by the datagram itself, each time.
//! 3. Packets that overtook one another are put back in order, within 32 packets and 50 ms.
//! 4. What then still misses in the RTP sequence is lost; continuity counters start anew behind
//!    it, so that one loss is not counted twice.
//! 5. A batch is a whole number of transport stream packets, and never has a loss inside it.

mod assembler;
mod batcher;
mod pool;
mod reorder;
mod stats;

pub use self::assembler::{Assembler, AssemblerConfig, Gap, TsBatch};
pub use self::stats::RxStats;

#[cfg(test)]
mod tests;
