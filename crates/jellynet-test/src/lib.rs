//! Virtual network, engine laws and real-peer helpers for jellynet's own tests.
//!
//! # The rules of this crate
//!
//! 1. It stands under `[dev-dependencies]` alone, and is never published.
//! 2. It knows no protocol: [`wire`] moves the bytes of any
//!    [`Engine`](jellynet_netif::Engine), [`laws`] asks of it what the trait promises.
//! 3. A test never sleeps. What has to be waited for is waited for in here, with a deadline, and
//!    a missed one fails the test with everything that was seen until then.
//! 4. What a test started ends with its handle: a process by its id, a namespace by its name.
//! 5. What the machine lacks (root, `ip`, a peer program) is a printed skip; with
//!    `JELLYNET_PEERS=require` in the environment it is a failure.
//!
//! | module | for |
//! | --- | --- |
//! | [`wire`] | engines on a virtual network in virtual time: loss, duplication, latency, reordering |
//! | [`laws`] | the laws E1–E6, run against any engine |
//! | [`hostile`] | strategies for bytes that nobody should send |
//! | [`netns`] | real network namespaces with veth links |
//! | [`peer`] | real programs: found, started, listened to, ended |
//! | [`seeds`] | the targets of cargo-fuzz, without cargo-fuzz |
//! | [`allocations`] | what a piece of code allocates |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "this crate runs inside tests: it fails them by panicking and explains itself on \
              their output"
)]

mod deadline;
pub mod hostile;
pub mod laws;
pub mod netns;
pub mod peer;
pub mod seeds;
pub mod wire;

pub use allocation_counter::AllocationInfo;

/// Counts what `code` allocates on this thread.
///
/// Linking this crate makes the counting allocator the test program's own; it needs no
/// declaration.
///
/// # Examples
///
/// ```
/// let counted = jellynet_test::allocations(|| {
///     std::hint::black_box(vec![1, 2, 3]);
/// });
/// assert_eq!(counted.count_total, 1);
/// ```
pub fn allocations(code: impl FnOnce()) -> AllocationInfo {
    allocation_counter::measure(code)
}
