//! jellynet beside nginx, HAProxy and Caddy, each in front of the same nginx: what a request, a
//! byte and an idle connection cost the front.
//!
//! ```sh
//! cargo build --release -p jellynet-server
//! cargo bench -p benches --bench side-by-side -- [--rounds N] [--case NAME] [--front NAME] [--quick]
//! ```
//!
//! 1. The front has one core and one thread of work; the load and the upstream share the other.
//! 2. The figure is the front's processor time, of all its threads and processes, as the kernel
//!    counts it in nanoseconds; throughput stands beside it.
//! 3. The fronts take turns in each round, so that a busy machine disturbs all alike; what is
//!    printed are medians over the rounds, and their ratios.
//! 4. jellynet has everything on: a known proxy that names the client, an access filter, a base
//!    URL that is taken off, metrics. The others pass requests on, and nothing else.
//! 5. All of it runs in namespaces of its own (network and process ids), so that ports are free,
//!    nothing leaves the machine, and whatever was started ends with it. Where the system allows
//!    no namespaces, it runs on loopback.
#![expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark may panic, and prints"
)]

mod cases;
mod front;
mod load;
mod process;
mod report;
mod site;
mod upstream;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;

use crate::cases::{Case, Turn, Work};
use crate::front::{Front, Kind};
use crate::load::Load;
use crate::report::Table;
use crate::site::Site;

/// Set in the environment of the copy that runs in namespaces of its own.
const INSIDE: &str = "JELLYNET_BENCH_INSIDE";

/// Measures jellynet beside nginx, HAProxy and Caddy.
#[derive(Debug, Parser)]
struct Args {
    /// In how many rounds each front has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only this case; may be given several times.
    #[arg(long)]
    case: Vec<Case>,
    /// Only this front; may be given several times.
    #[arg(long)]
    front: Vec<Kind>,
    /// One round with a tenth of the work: whether it runs at all.
    #[arg(long)]
    quick: bool,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if std::env::var_os(INSIDE).is_none() {
        enter_namespaces();
        println!("note: no namespaces of our own here; on loopback, beside whatever else runs");
    } else {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.is_ok_and(|status| status.success()), "cannot bring loopback up");
    }
    process::raise_open_files();
    process::pin_to_load_core();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(&args));
    ExitCode::SUCCESS
}

/// Becomes a copy of itself in namespaces of its own, where the system allows that.
fn enter_namespaces() {
    let unshare = |first: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(first);
        command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
        command
    };
    for first in [&[][..], &["--user", "--map-root-user"]] {
        let allowed = unshare(first).arg("true").stderr(Stdio::null()).status();
        if allowed.is_ok_and(|status| status.success()) {
            let mut command = unshare(first);
            command.arg(std::env::current_exe().unwrap()).args(std::env::args_os().skip(1));
            let error = command.env(INSIDE, "1").exec();
            eprintln!("cannot run unshare: {error}");
        }
    }
}

async fn run(args: &Args) {
    let site = Site::open();
    let upstream = match upstream::Upstream::start(&site) {
        Ok(upstream) => upstream,
        Err(why) => {
            println!("skip: {why}");
            return;
        }
    };
    let kinds = if args.front.is_empty() { Kind::ALL.to_vec() } else { args.front.clone() };
    let mut present = Vec::new();
    for kind in kinds {
        match kind.find() {
            Ok(version) => {
                println!("{kind}: {version}");
                present.push(kind);
            }
            Err(why) => println!("skip: {kind}: {why}"),
        }
    }
    let cases = if args.case.is_empty() { Case::ALL.to_vec() } else { args.case.clone() };
    for case in cases {
        let work = case.work(args.quick);
        let rounds = if args.quick { 1 } else { args.rounds.max(1) };
        let table = measure(case, work, rounds, &present, &site, &upstream).await;
        println!("\n{table}");
    }
}

/// All rounds of one case. A case begins with new fronts.
async fn measure(
    case: Case,
    work: Work,
    rounds: usize,
    kinds: &[Kind],
    site: &Site,
    upstream: &upstream::Upstream,
) -> Table {
    let mut table = Table::new(case, work, rounds);
    let mut fronts = Vec::new();
    // What grows with the connections must begin with none.
    let fresh = case.wants_fresh_fronts();
    if !fresh {
        for &kind in kinds {
            let front = start(kind, site, upstream);
            let load = Load::new(&front, site);
            // The first connections to the upstream, the first tickets, warm caches.
            cases::turn(case, work.tenth(), &load, &front).await;
            fronts.push((front, load));
        }
    }
    for round in 0..rounds {
        for at in 0..kinds.len() {
            // Another one begins each round.
            let at = (at + round) % kinds.len();
            let Some(&kind) = kinds.get(at) else { continue };
            let turn: Turn = if fresh {
                let front = start(kind, site, upstream);
                cases::turn(case, work, &Load::new(&front, site), &front).await
            } else {
                let Some((front, load)) = fronts.get(at) else { continue };
                cases::turn(case, work, load, front).await
            };
            table.add(kind, turn);
        }
    }
    table
}

fn start(kind: Kind, site: &Site, upstream: &upstream::Upstream) -> Front {
    Front::start(kind, site, upstream).unwrap_or_else(|why| panic!("{kind} does not start: {why}"))
}
