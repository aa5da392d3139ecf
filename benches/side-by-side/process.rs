//! Programs that are started on a core, watched, and ended.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Where the fronts run, and where everything else does.
const FRONT_CORE: usize = 0;
const LOAD_CORE: usize = 1;
/// What 10,000 connections take on both sides of a front, and some more.
const OPEN_FILES: u64 = 65_536;
/// How long a program may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// As many open files as the system allows, for this process and those that it starts.
pub(crate) fn raise_open_files() {
    let had = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: Some(OPEN_FILES), maximum: Some(OPEN_FILES) };
    let hard = Rlimit { current: had.maximum, maximum: had.maximum };
    if setrlimit(Resource::Nofile, wanted).is_err() && setrlimit(Resource::Nofile, hard).is_err() {
        println!("note: the limit of open files stays at {:?}", had.current);
    }
}

/// Moves this thread, and what it starts later, to the core of the load.
pub(crate) fn pin_to_load_core() {
    pin(LOAD_CORE);
}

fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = sched_setaffinity(None, &set) {
        println!("note: cannot stay on core {core} ({error}): the figures are of little worth");
    }
}

/// A program with the processes that it started itself; ends with this handle.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Its own id first.
    family: Vec<u32>,
}

impl Process {
    /// Starts a front, on its core; what it says goes to the file.
    pub(crate) fn front(command: &mut Command, said: &Path) -> Result<Self, String> {
        pin(FRONT_CORE);
        let started = Self::start(command, said);
        pin(LOAD_CORE);
        started
    }

    /// Starts a program on the core of the load.
    pub(crate) fn start(command: &mut Command, said: &Path) -> Result<Self, String> {
        let out = fs::File::create(said).map_err(|error| error.to_string())?;
        let err = out.try_clone().map_err(|error| error.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.map_err(|error| format!("{:?}: {error}", command.get_program()))?;
        Ok(Self { family: vec![child.id()], child })
    }

    /// Waits until it listens everywhere and has its workers; from then on they are known.
    pub(crate) fn wait_for(
        &mut self,
        ports: &[u16],
        workers: usize,
        said: &Path,
    ) -> Result<(), String> {
        let begin = Instant::now();
        for &port in ports {
            while std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
                || children(self.child.id()).len() < workers
            {
                let ended = self.child.try_wait().ok().flatten();
                if ended.is_some() || begin.elapsed() > Duration::from_secs(10) {
                    let said = fs::read_to_string(said).unwrap_or_default();
                    return Err(format!("nothing listens at port {port} ({ended:?}): {said}"));
                }
                park_timeout(Duration::from_millis(10));
            }
        }
        self.family = vec![self.child.id()];
        self.family.extend(children(self.child.id()));
        Ok(())
    }

    /// Processor time so far, of all threads.
    pub(crate) fn processor_time(&self) -> Duration {
        let threads = self.family.iter().flat_map(|id| {
            fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten()
        });
        let nanoseconds = threads.filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// Memory that is its own, in bytes: shared pages count by their share.
    pub(crate) fn memory(&self) -> u64 {
        let one = |id: &u32| {
            let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
            let line = text.lines().find(|line| line.starts_with("Pss:"))?;
            Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
        };
        self.family.iter().filter_map(one).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        signal(self.child.id(), Signal::TERM);
        let begin = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if begin.elapsed() > PATIENCE {
                // Children first: they would be nobody's afterwards.
                self.family.iter().rev().for_each(|&id| signal(id, Signal::KILL));
                let _ = self.child.wait();
                return;
            }
            park_timeout(Duration::from_millis(5));
        }
    }
}

fn signal(id: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

fn children(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        // The fields behind the name, which may hold anything: state, parent.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        behind.split_whitespace().nth(1) == Some(parent.to_string().as_str())
    })
    .collect()
}
