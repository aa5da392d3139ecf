//! The `jellynet` binary: reads the configuration and hands it to the crates, nothing else.

mod cli;
mod failure;
mod logging;
mod sources;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

fn main() -> ExitCode {
    match verbs::dispatch(Cli::parse()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
