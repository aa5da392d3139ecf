//! A program while it runs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::deadline::Deadline;

/// A running program whose output is read as it comes. Dropping it ends it.
///
/// Its standard input is closed unless the command says otherwise; what it prints on either
/// stream is kept by lines, in the order of arrival.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Mutex<Child>,
    pid: u32,
    output: Arc<Output>,
}

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(command: Command) -> Self {
        let name = name_of(&command);
        Self::try_spawn(command).unwrap_or_else(|e| panic!("start {name}: {e}"))
    }

    /// Starts a program whose standard input is written with [`write`](Self::write).
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn spawn_with_input(mut command: Command) -> Self {
        let name = name_of(&command);
        command.stdin(Stdio::piped());
        Self::start(command).unwrap_or_else(|e| panic!("start {name}: {e}"))
    }

    pub(super) fn try_spawn(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::null());
        Self::start(command)
    }

    fn start(mut command: Command) -> io::Result<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let output = Arc::new(Output::default());
        if let Some(stdout) = child.stdout.take() {
            output.follow(stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            output.follow(stderr);
        }
        Ok(Self { name: name_of(&command), pid: child.id(), child: Mutex::new(child), output })
    }

    /// The process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Everything that it has printed until now.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().lines.join("\n")
    }

    /// Waits for a line that contains `needle`, printed before or after this call, and returns it.
    ///
    /// # Panics
    ///
    /// When none comes in time, or the program ends without it, with everything it printed.
    pub fn wait_for_line(&self, needle: &str, timeout: Duration) -> String {
        self.find_line(needle, timeout).unwrap_or_else(|| {
            panic!(
                "{} printed no {needle:?} within {timeout:?}, but:\n{}",
                self.name,
                self.output()
            )
        })
    }

    /// Waits for a line that contains `needle`; `None` when none comes in time or the program ends
    /// without it.
    #[must_use]
    pub fn find_line(&self, needle: &str, timeout: Duration) -> Option<String> {
        let deadline = Deadline::after(timeout);
        let mut state = self.output.lock();
        loop {
            if let Some(line) = state.lines.iter().find(|line| line.contains(needle)) {
                return Some(line.clone());
            }
            if state.open == 0 || deadline.has_passed() {
                return None;
            }
            let waited = self.output.changed.wait_timeout(state, deadline.left());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the program to end by itself.
    ///
    /// # Panics
    ///
    /// When it does not in time, with everything it printed.
    pub fn wait(&self, timeout: Duration) -> ExitStatus {
        let status = Deadline::after(timeout).poll(|| self.exit_status());
        let Some(status) = status else {
            panic!("{} still runs after {timeout:?}:\n{}", self.name, self.output());
        };
        // The last lines may still be in the pipes.
        let _ = self.find_line("\0", Duration::from_secs(1));
        status
    }

    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.child().try_wait().ok().flatten()
    }

    /// Sends the signal that asks a daemon to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends the signal of Ctrl-C (SIGINT).
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends the signal that asks a daemon to read its configuration again (SIGHUP).
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Writes to the standard input of a program that was started with
    /// [`spawn_with_input`](Self::spawn_with_input).
    ///
    /// # Panics
    ///
    /// When the program does not read it any more.
    pub fn write(&self, bytes: &[u8]) {
        let mut child = self.child();
        let input = child.stdin.as_mut().unwrap_or_else(|| {
            panic!("{} was started without an input", self.name);
        });
        let written = input.write_all(bytes).and_then(|()| input.flush());
        written.unwrap_or_else(|e| panic!("write to {}: {e}", self.name));
    }

    pub(super) fn end_within(&self, timeout: Duration) {
        if Deadline::after(timeout).poll(|| self.exit_status()).is_some() {
            let _ = self.find_line("\0", Duration::from_secs(1));
        }
    }

    fn signal(&self, signal: Signal) {
        // A child that was waited for has given its id back.
        if self.exit_status().is_none()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, signal);
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The lines of both streams.
#[derive(Debug, Default)]
struct Output {
    state: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    /// Streams that have not ended.
    open: usize,
}

impl Output {
    fn follow(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        self.lock().open += 1;
        let output = Arc::clone(self);
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&line);
                output.lock().lines.push(text.trim_end().to_owned());
                output.changed.notify_all();
                line.clear();
            }
            output.lock().open -= 1;
            output.changed.notify_all();
        });
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name_of(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
