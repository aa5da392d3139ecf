//! The `jellynet` binary: reads the configuration and hands it to the crates, nothing else.

mod cli;
mod failure;
mod logging;
mod sources;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

/// Requests are many small allocations of one thread, which the C library's is slow at (by an
/// eighth of the processor time of a small request).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match verbs::dispatch(Cli::parse()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
