//! How long from the start of `jellynet` until all its listeners are bound, and how much memory it
//! holds while idle. Goals: 50 ms and 12 MiB.
//!
//! ```sh
//! cargo build --release -p jellynet-server
//! cargo bench -p benches --bench startup
//! ```
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and prints")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;

fn main() {
    let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/jellynet");
    let binary = std::env::var_os("JELLYNET_BINARY").map_or(binary, Into::into);
    if !binary.exists() {
        println!("skip: {} is not built; JELLYNET_BINARY names another", binary.display());
        return;
    }
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| round(&binary)).collect();
    times.sort();
    println!(
        "start to all listeners bound: median {:?} of {ROUNDS}",
        times.get(ROUNDS / 2).unwrap()
    );
    let (_, mut child) = start(&binary);
    park_timeout(Duration::from_secs(2));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let memory = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    println!("idle: {memory}");
    child.kill().unwrap();
    child.wait().unwrap();
}

fn round(binary: &Path) -> Duration {
    let (time, mut child) = start(binary);
    child.kill().unwrap();
    child.wait().unwrap();
    time
}

/// Starts it on ports of the system's choice, until it says that it is ready.
fn start(binary: &Path) -> (Duration, Child) {
    let data = std::env::temp_dir().join("jellynet-startup-bench");
    let begin = Instant::now();
    let mut child = Command::new(binary)
        // JELLYNET_BINARY would be an unknown setting.
        .env_clear()
        .args(["--listen", "*:0", "--log", "error", "--data-dir"])
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.map_while(Result::ok).any(|line| line.contains("ready to serve"));
    assert!(ready, "it did not start");
    (begin.elapsed(), child)
}
