//! What the program can be asked to do: one file each.

mod cert;
mod discover;
mod doctor;
mod explain;
mod healthcheck;
mod interfaces;
mod run;
mod tuner;

use std::io::Write;
use std::process::ExitCode;

use jellynet_netif::InterfaceTable;
use serde::Serialize;

pub(crate) use self::cert::CertVerb;
pub(crate) use self::tuner::TunerVerb;
use crate::cli::{Cli, Verb};
use crate::failure::Failure;
use crate::sources::{self, Configured};

/// Does what the command line asks for.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.verb.unwrap_or(Verb::Run(cli.settings)) {
        Verb::Run(args) => run::run(&args)?,
        Verb::Cert(verb) => return cert::run(&verb),
        Verb::Tuner(verb) => tuner::run(&verb)?,
        Verb::Check(args) => check(&sources::load(&args)?),
        Verb::PrintConfig(args) => print(&sources::load(&args)?.config.describe()),
        Verb::Explain(args) => explain::run(&args)?,
        Verb::Healthcheck(args) => healthcheck::run(&args)?,
        Verb::Doctor(args) => return doctor::run(&args),
        Verb::Discover(args) => discover::run(&args)?,
        Verb::Interfaces(args) => interfaces::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration was read without a problem.
fn check(configured: &Configured) {
    let file = configured.file.as_ref();
    let from =
        file.map_or_else(|| "no file: all defaults".to_owned(), |file| file.display().to_string());
    print(&format!(
        "the configuration is good ({from})
"
    ));
}

/// This host's interfaces, as they are now.
fn own_interfaces() -> Result<InterfaceTable, Failure> {
    jellynet_netif::interfaces()
        .map_err(|error| Failure::runtime("cannot read this host's interfaces", error))
}

/// A value as JSON on one line.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The runtime of everything that waits for the network.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(|error| Failure::runtime("cannot start threads", error))
}

/// Writes to standard output; a reader that went away is no error of ours.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
