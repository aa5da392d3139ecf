//! `jellynet cert`: look at certificates, make them, turn them into another notation.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use jellynet_tls::{
    Encryption, Loader, LocalCertificate, Output, Password, Source, Timestamp, convert,
    default_provider, inspect, serve_check,
};

use crate::cli::Format;
use crate::failure::{FOUND_A_PROBLEM, Failure};
use crate::verbs::{json, own_interfaces, print, runtime};

#[derive(Debug, Subcommand)]
pub(crate) enum CertVerb {
    /// Says what is in a file, what would be served of it, and what is wrong; exit code 3 for one
    /// that cannot be served.
    Inspect(InspectArgs),
    /// Makes a certificate that signs itself, for this host's names and addresses.
    SelfSigned(SelfSignedArgs),
    /// Turns any certificate into PKCS#12, PEM or DER.
    Convert(ConvertArgs),
    /// Connects, and says what is served there; exit code 3 if it is not what should be.
    ServeCheck(ServeCheckArgs),
}

/// The files of one certificate.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// A PKCS#12, PEM or DER file, or a folder such as certbot's `live/<name>/`.
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// The private key, where it is in another file.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The intermediate certificates, where they are in another file.
    #[arg(long, value_name = "FILE")]
    chain: Option<PathBuf>,
    /// A file whose first line is the password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl SourceArgs {
    fn source(&self) -> Source {
        let mut source = Source::new(&self.path);
        if let Some(key) = &self.key {
            source = source.with_key(key);
        }
        if let Some(chain) = &self.chain {
            source = source.with_chain(chain);
        }
        match &self.password_file {
            Some(file) => source.with_password(Password::file(file)),
            None => source,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SelfSignedArgs {
    /// Where to write certificate and key, as PEM, readable by you alone.
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// A name or address to vouch for, besides this host's own; may be given several times.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
}

/// What to write.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    /// PKCS#12, as Jellyfin wants it.
    Pkcs12,
    /// PKCS#12 for old readers: Triple DES and SHA-1.
    Pkcs12Legacy,
    /// Key and certificates in one PEM file.
    Pem,
    /// The certificates alone, as PEM.
    PemCertificates,
    /// The key alone, as PEM.
    PemKey,
    /// The leaf alone, as DER.
    Der,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Where to write, readable by you alone.
    #[arg(value_name = "TARGET")]
    target: PathBuf,
    /// What to write.
    #[arg(long, value_enum, default_value = "pkcs12")]
    to: To,
    /// A file whose first line is the password of the new PKCS#12 file [default: no password].
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeCheckArgs {
    /// Whom to ask, as `host:port`.
    #[arg(value_name = "HOST:PORT")]
    address: String,
    /// What should be served there: the file that the server was given.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// A file whose first line is the password of the expected file.
    #[arg(long, value_name = "FILE", requires = "expect")]
    password_file: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(verb: &CertVerb) -> Result<ExitCode, Failure> {
    let loader = Loader::new(default_provider());
    match verb {
        CertVerb::Inspect(args) => {
            let found = inspect(&args.source.source(), &loader, Timestamp::now());
            print(&match args.format {
                Format::Json => json(&found) + "\n",
                Format::Text => format!("{}\n", found.to_string().trim_end()),
            });
            Ok(ExitCode::from(found.exit_code()))
        }
        CertVerb::SelfSigned(args) => self_signed(args, &loader),
        CertVerb::Convert(args) => convert_file(args, &loader),
        CertVerb::ServeCheck(args) => check(args, &loader),
    }
}

fn self_signed(args: &SelfSignedArgs, loader: &Loader) -> Result<ExitCode, Failure> {
    let interfaces = own_interfaces()?;
    let addresses = interfaces.addresses().filter(|(_, address)| !address.temporary);
    let addresses = addresses.map(|(_, address)| address.ip().to_string());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.map(|name| name.trim().to_owned()).filter(|name| name != "(none)");
    let certificate =
        LocalCertificate::new(args.names.iter().cloned().chain(host).chain(addresses));
    let made = certificate.ensure(&args.path, None, loader, Timestamp::now());
    let made = made.map_err(|error| Failure::runtime("cannot make the certificate", error))?;
    let path = args.path.display();
    print(&match made.made {
        Some(why) => format!("made {path} for {}: {why}\n", certificate.names().join(", ")),
        None => format!("{path} is good, and was left as it is\n"),
    });
    Ok(ExitCode::SUCCESS)
}

fn convert_file(args: &ConvertArgs, loader: &Loader) -> Result<ExitCode, Failure> {
    let password = match &args.new_password_file {
        Some(path) => first_line(path)?,
        None => String::new(),
    };
    let pkcs12 = |encryption| Output::Pkcs12 { password: &password, encryption };
    let output = match args.to {
        To::Pkcs12 => pkcs12(Encryption::Modern),
        To::Pkcs12Legacy => pkcs12(Encryption::Legacy),
        To::Pem => Output::Pem,
        To::PemCertificates => Output::PemCertificates,
        To::PemKey => Output::PemKey,
        To::Der => Output::DerCertificate,
    };
    convert(&args.source.source(), loader, output, &args.target, Timestamp::now())
        .map_err(|error| Failure::runtime("cannot convert the certificate", error))?;
    print(&format!("wrote {}\n", args.target.display()));
    Ok(ExitCode::SUCCESS)
}

fn first_line(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::runtime(format!("cannot read {}", path.display()), error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn check(args: &ServeCheckArgs, loader: &Loader) -> Result<ExitCode, Failure> {
    let expected = match &args.expect {
        Some(path) => {
            let source = Source::new(path);
            let source = match &args.password_file {
                Some(file) => source.with_password(Password::file(file)),
                None => source,
            };
            let loaded = loader.load(&source, Timestamp::now());
            Some(loaded.map_err(|error| Failure::runtime("cannot load what is expected", error))?)
        }
        None => None,
    };
    let provider = loader.provider().clone();
    let report = runtime()?.block_on(serve_check(&args.address, expected.as_ref(), provider));
    let report = report.map_err(|error| Failure::runtime("cannot see what is served", error))?;
    let verdict = match report.as_expected {
        Some(true) => "as expected\n",
        Some(false) => "NOT what is expected\n",
        None => "",
    };
    print(&match args.format {
        Format::Json => json(&report) + "\n",
        Format::Text => format!(
            "{} serves, by {} with {}:\n  {}\n{verdict}",
            report.address,
            report.version,
            report.cipher_suite,
            report.served_sha256.join("\n  ")
        ),
    });
    Ok(ExitCode::from(if report.as_expected == Some(false) { FOUND_A_PROBLEM } else { 0 }))
}
