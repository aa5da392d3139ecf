//! Telling systemd how the service is doing (sd_notify(3)).
//!
//! Each function does nothing where the process was not started as `Type=notify`.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

/// Tells that all listeners are up.
///
/// # Errors
///
/// systemd's socket cannot be written to.
pub fn ready() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Ready])
}

/// Tells that the service reads its configuration again (`Type=notify-reload`); [`ready`] tells that
/// it is done, whatever came of it.
///
/// # Errors
///
/// The clock cannot be read, or systemd's socket cannot be written to.
pub fn reloading() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
}

/// Tells that the service drains its connections and will end.
///
/// # Errors
///
/// systemd's socket cannot be written to.
pub fn stopping() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Stopping])
}

/// Sets the line that `systemctl status` shows.
///
/// # Errors
///
/// systemd's socket cannot be written to.
pub fn status(line: &str) -> io::Result<()> {
    // A line break would start another assignment.
    sd_notify::notify(&[NotifyState::Status(&line.replace('\n', " "))])
}

/// Asks for more time before systemd kills the service, such as while connections drain.
///
/// # Errors
///
/// systemd's socket cannot be written to.
pub fn extend_timeout(by: Duration) -> io::Result<()> {
    let micros = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    sd_notify::notify(&[NotifyState::ExtendTimeoutUsec(micros)])
}
