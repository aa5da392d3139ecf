//! The log: to standard error, as text for people or as JSON for machines.

use std::io::IsTerminal;

use jellynet_settings::Settings;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// Changes what is logged.
pub(crate) type Filter = reload::Handle<Targets, Registry>;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text; with colours on a terminal.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

impl std::str::FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err("write human or json"),
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    filter: Targets,
    format: Format,
}

impl Log {
    pub(crate) fn read(settings: &mut Settings) -> Self {
        let usual = || Targets::new().with_default(tracing::Level::INFO);
        Self {
            filter: settings.parse("log.level", str::parse).unwrap_or_else(usual),
            format: settings.parse("log.format", str::parse).unwrap_or_default(),
        }
    }

    /// Starts the log, and gives a handle to its filter.
    pub(crate) fn start(self) -> Filter {
        let under_journal = std::env::var_os("JOURNAL_STREAM").is_some();
        let lines = fmt::layer().with_writer(std::io::stderr);
        let layer = match self.format {
            Format::Json => lines.json().boxed(),
            // The journal adds a time of its own.
            Format::Human if under_journal => lines.with_ansi(false).without_time().boxed(),
            Format::Human => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        };
        let (filter, handle) = reload::Layer::new(self.filter);
        let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
        handle
    }

    /// Logs by this filter from now on.
    pub(crate) fn replace(self, filter: &Filter) {
        let _ = filter.reload(self.filter);
    }
}
