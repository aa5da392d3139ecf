//! Where the configuration comes from: defaults < file < environment < flags.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use jellynet_gateway::{Config, KEYS};
use jellynet_settings::Settings;

use crate::cli::SettingsArgs;
use crate::failure::Failure;
use crate::logging::Log;

/// Read when no file is named; the first that is there.
const FILES: [&str; 2] = ["jellynet.toml", "/etc/jellynet/jellynet.toml"];
/// Variables with our prefix that are no keys.
const NOT_KEYS: [&str; 4] =
    ["JELLYNET_COMMIT", "JELLYNET_CONFIG", "JELLYNET_PEERS", "JELLYNET_PYTHON"];

/// Everything that was configured.
#[derive(Debug)]
pub(crate) struct Configured {
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    pub(crate) log: Log,
    pub(crate) config: Config,
}

/// Reads the file, the environment and the flags.
pub(crate) fn load(args: &SettingsArgs) -> Result<Configured, Failure> {
    let mut settings = Settings::new(KEYS);
    let named = || env::var_os("JELLYNET_CONFIG").map(PathBuf::from);
    let file = match args.config.clone().or_else(named) {
        Some(path) => Some((read(&path)?, path)),
        None => first_of(&FILES)?,
    };
    if let Some((text, path)) = &file {
        settings.add_toml(text, path);
    }
    let variables = env::vars_os().filter(|(name, _)| !NOT_KEYS.iter().any(|n| name == n));
    settings.add_environment("JELLYNET", variables);
    args.add_to(&mut settings);
    Ok(Configured {
        file: file.map(|(_, path)| path),
        log: Log::read(&mut settings),
        config: Config::from_settings(settings)?,
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        Failure::Configuration(format!("cannot read the configuration {path}: {error}"))
    })
}

/// The first file that is there. One that is there and cannot be read is an error: it was meant.
fn first_of(files: &[&str]) -> Result<Option<(String, PathBuf)>, Failure> {
    for path in files.iter().map(Path::new) {
        if path.try_exists().unwrap_or(true) {
            return Ok(Some((read(path)?, path.to_owned())));
        }
    }
    Ok(None)
}
