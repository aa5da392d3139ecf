//! Real programs: found, started, listened to, ended.

use std::env;
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::deadline::Deadline;

mod process;

pub use self::process::Process;

/// A program of this machine.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    version: String,
}

impl Program {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first line that it prints about its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A command that runs it.
    #[must_use]
    pub fn command(&self) -> Command {
        Command::new(&self.path)
    }
}

/// Looks for a program in `PATH` and in the places where daemons are, asks for its version with
/// `--version`, and prints it.
///
/// `None`, after saying so, when it is not here.
///
/// # Panics
///
/// In that case, when `JELLYNET_PEERS=require`.
#[must_use]
pub fn find(program: &str) -> Option<Program> {
    find_with(program, &["--version"])
}

/// Like [`find`], for a program that tells its version when asked with other arguments. With no
/// arguments it is not asked.
#[must_use]
pub fn find_with(program: &str, version_arguments: &[&str]) -> Option<Program> {
    let Some(path) = locate(program) else {
        skip(&format!("{program} is not installed"));
        return None;
    };
    let version = if version_arguments.is_empty() {
        None
    } else {
        let mut command = Command::new(&path);
        command.args(version_arguments);
        first_line(command)
    };
    let version = version.unwrap_or_else(|| "version unknown".to_owned());
    eprintln!("peer {program}: {version}");
    Some(Program { path, version })
}

/// Looks for a Python interpreter that has this distribution (its name on PyPI): the one that
/// `JELLYNET_PYTHON` names, else `python3`.
///
/// `None`, after saying so, when there is none.
///
/// # Panics
///
/// In that case, when `JELLYNET_PEERS=require`.
#[must_use]
pub fn find_python(distribution: &str) -> Option<Program> {
    let interpreter = env::var("JELLYNET_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let version = locate(&interpreter).and_then(|path| {
        let mut command = Command::new(&path);
        command.args([
            "-c",
            "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))",
            distribution,
        ]);
        let output = command.output().ok().filter(|o| o.status.success())?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Some(Program { path, version })
    });
    match &version {
        Some(program) => eprintln!("peer {distribution}: {}", program.version),
        None => skip(&format!(
            "{interpreter} has no {distribution} (JELLYNET_PYTHON names another interpreter)"
        )),
    }
    version
}

/// Looks for a `node` that has this package (its name on npm).
///
/// `None`, after saying so, when there is none.
///
/// # Panics
///
/// In that case, when `JELLYNET_PEERS=require`.
#[must_use]
pub fn find_node(package: &str) -> Option<Program> {
    let found = locate("node").and_then(|path| {
        let mut command = Command::new(&path);
        command.args(["-p", "require(process.argv[1] + '/package.json').version", package]);
        let output = command.output().ok().filter(|o| o.status.success())?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Some(Program { path, version })
    });
    match &found {
        Some(program) => eprintln!("peer {package}: {}", program.version),
        None => skip(&format!("node has no {package} (NODE_PATH names where modules are)")),
    }
    found
}

/// Says that a test is skipped and why.
///
/// # Panics
///
/// When `JELLYNET_PEERS=require`.
pub fn skip(why: &str) {
    assert!(
        env::var_os("JELLYNET_PEERS").is_none_or(|value| value != "require"),
        "JELLYNET_PEERS=require, but {why}"
    );
    eprintln!("skip: {why}");
}

/// Waits until something accepts TCP connections at `address`.
///
/// # Panics
///
/// When nothing does in time.
pub fn wait_for_port(address: SocketAddr, timeout: Duration) {
    wait_until(&format!("a listener at {address}"), timeout, || {
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    });
}

/// Waits until `condition` holds; it is asked every few milliseconds.
///
/// # Panics
///
/// When it does not hold in time, naming `what`.
pub fn wait_until(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) {
    let answer = Deadline::after(timeout).poll(|| condition().then_some(()));
    assert!(answer.is_some(), "waited {timeout:?} in vain for {what}");
}

fn locate(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/games"].map(PathBuf::from))
        .map(|directory| directory.join(OsStr::new(program)))
        .find(|path| path.is_file())
}

fn first_line(command: Command) -> Option<String> {
    let process = Process::try_spawn(command).ok()?;
    process.end_within(Duration::from_secs(5));
    let output = process.output();
    let line = output.lines().find(|line| !line.trim().is_empty())?;
    Some(line.trim().to_owned())
}
