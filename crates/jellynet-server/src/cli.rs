//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jellynet_gateway::version;
use jellynet_settings::{Settings, parse_duration};

use crate::verbs::{CertVerb, TunerVerb};

/// What `--help` ends with.
const AFTER: &str = "\
Every key of the configuration file can also be set by an environment variable: \
JELLYNET_HTTP__LISTEN is http.listen. Flags win over the environment, the environment over the \
file, the file over the defaults.

Exit codes: 0 done; 1 failed while running; 2 wrong usage; 3 looked and found a problem; \
75 an address is in use or not there yet, try again later; 78 bad configuration.";

/// Puts a media server on the network: found, reached, trusted and secured.
///
/// Without a command it runs the server. With no configuration at all it listens on port 8096,
/// answers Jellyfin clients that search on port 7359/udp, and shows a page that says what to do
/// next.
#[derive(Debug, Parser)]
#[command(name = "jellynet", version = version(), after_help = AFTER, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Runs the server (this is what happens without a command).
    Run(SettingsArgs),
    /// Reads the configuration and says all that is wrong with it; exit code 78 if anything is.
    Check(SettingsArgs),
    /// Prints every key that is set, with where its value comes from; secrets are not shown.
    PrintConfig(SettingsArgs),
    /// Says what would become of a request: who the client is, whether it may come in, where the
    /// path goes, which URL it is told, and why.
    Explain(ExplainArgs),
    /// Looks at the configuration, at this host and at the server that runs on it, and says what to
    /// do about what is wrong; exit code 3 if anything is.
    Doctor(DoctorArgs),
    /// Asks the running server whether it is well: exit code 0 or 1. For Docker's HEALTHCHECK.
    Healthcheck(SettingsArgs),
    /// Looks at certificates, makes them, and turns them into another notation.
    #[command(subcommand)]
    Cert(CertVerb),
    /// Finds HDHomeRun tuners, looks at them, tunes and records.
    #[command(subcommand)]
    Tuner(TunerVerb),
    /// Searches the network for media servers (Jellyfin and UPnP) and tuners (HDHomeRun), and
    /// prints them as they answer.
    Discover(DiscoverArgs),
    /// Prints this host's network interfaces as jellynet sees them.
    Interfaces(FormatArgs),
}

/// Where the settings come from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SettingsArgs {
    /// The configuration file [default: jellynet.toml in the working directory, else
    /// /etc/jellynet/jellynet.toml, else none].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen for HTTP; may be given several times: `*:8096`, `192.168.1.10:8096`,
    /// `eth0:8096`, `unix:/run/jellynet.sock?mode=0660`, `systemd:http`.
    #[arg(long, value_name = "WHERE")]
    pub(crate) listen: Vec<String>,
    /// The media server to pass requests to, such as `http://127.0.0.1:8097`.
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// A directory to serve when there is no upstream.
    #[arg(long, value_name = "DIR")]
    pub(crate) web_directory: Option<PathBuf>,
    /// The path that the server lives under, such as `/jellyfin`.
    #[arg(long, value_name = "PATH")]
    pub(crate) base_url: Option<String>,
    /// The name that clients show.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where the server keeps its identity.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// What to log: `error`, `warn`, `info`, `debug`, `trace`, or by part:
    /// `info,jellynet_discovery=debug`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

impl SettingsArgs {
    /// Adds what was typed to the settings, as their strongest source.
    pub(crate) fn add_to(&self, settings: &mut Settings) {
        let path = |p: &PathBuf| p.display().to_string();
        if !self.listen.is_empty() {
            settings.add_flag("http.listen", "--listen", self.listen.join(","));
        }
        let flags = [
            ("upstream[0].url", "--upstream", self.upstream.clone()),
            ("web.directory", "--web-directory", self.web_directory.as_ref().map(path)),
            ("base_url.path", "--base-url", self.base_url.clone()),
            ("server.name", "--name", self.name.clone()),
            ("server.data_dir", "--data-dir", self.data_dir.as_ref().map(path)),
            ("log.level", "--log", self.log.clone()),
        ];
        for (key, flag, value) in flags {
            if let Some(value) = value {
                settings.add_flag(key, flag, value);
            }
        }
    }
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: JSON.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// How to print; JSON is one object at the end.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct DiscoverArgs {
    /// How long to wait for answers.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    /// How to print; JSON is one object a line, as the answers come.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Who connects: the address that the server sees, such as `192.168.1.20` or `fe80::1%eth0`.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "stdin")]
    pub(crate) peer: Option<String>,
    /// The connection is TLS.
    #[arg(long)]
    pub(crate) tls: bool,
    /// The method.
    #[arg(long, default_value = "GET")]
    pub(crate) method: String,
    /// Path and query.
    #[arg(long, default_value = "/")]
    pub(crate) target: String,
    /// A header line, such as `Host: tv.lan`; may be given several times.
    #[arg(long = "header", short = 'H', value_name = "LINE")]
    pub(crate) headers: Vec<String>,
    /// Reads questions from standard input, one JSON object a line, and answers each with one.
    #[arg(long, conflicts_with_all = ["SettingsArgs", "peer", "tls", "headers", "method", "target"])]
    pub(crate) stdin: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}
