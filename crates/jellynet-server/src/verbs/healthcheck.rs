//! `jellynet healthcheck`: asks the running server, at the place that the configuration names.

use crate::cli::SettingsArgs;
use crate::failure::Failure;
use crate::sources;
use crate::verbs::runtime;

/// Docker knows 0 and 1 only, so that every failure is a plain one.
pub(super) fn run(args: &SettingsArgs) -> Result<(), Failure> {
    let config = sources::load(args).map_err(|failure| Failure::plain(failure.to_string()))?.config;
    runtime()?.block_on(jellynet_gateway::healthcheck(&config)).map_err(Failure::plain)
}
