//! Reading and setting a device's variables over TCP.
//!
//! One question, one answer, in turn. Each of connecting, sending and receiving may take 2.5 s,
//! as in the vendor's client. When the connection fails, it is made anew and the question asked
//! once more; a refusal is an answer and is not asked again.

mod connection;
mod error;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tracing::debug;

use self::connection::Connection;
pub use self::error::ControlError;
use crate::wire::GetSetRequest;

/// How to talk to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ControlOptions {
    /// The most time for connecting, for sending and for receiving each. Default: 2.5 s.
    pub timeout: Duration,
}

impl Default for ControlOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_millis(2500) }
    }
}

/// A session with one device.
///
/// It connects when it is first used and again when it has to; dropping it closes the
/// connection, but releases no tuner.
#[derive(Debug)]
pub struct Control {
    device: SocketAddr,
    options: ControlOptions,
    connection: Option<Connection>,
    reconnects: u64,
}

impl Control {
    /// A session with the device at this address; nothing is sent yet.
    #[must_use]
    pub const fn new(device: SocketAddr, options: ControlOptions) -> Self {
        Self { device, options, connection: None, reconnects: 0 }
    }

    /// The device's address.
    #[must_use]
    pub const fn device(&self) -> SocketAddr {
        self.device
    }

    /// How often a broken connection was made anew.
    #[must_use]
    pub const fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// This host's address on the connection; `None` while there is none.
    #[must_use]
    pub fn local_ip(&self) -> Option<IpAddr> {
        self.connection.as_ref()?.local_ip()
    }

    /// Reads a variable, such as `/tuner0/status`.
    ///
    /// # Errors
    ///
    /// [`ControlError`].
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the connection is closed, because an answer may be under way.
    pub async fn get(&mut self, name: &str) -> Result<String, ControlError> {
        self.ask(&GetSetRequest::get(name)).await
    }

    /// Sets a variable and returns its new value. `key` is that of the lock, where one is held.
    ///
    /// # Errors
    ///
    /// [`ControlError`].
    ///
    /// # Cancel safety
    ///
    /// As for [`get`](Self::get); whether the variable was set is then unknown.
    pub async fn set(
        &mut self,
        name: &str,
        value: &str,
        key: Option<u32>,
    ) -> Result<String, ControlError> {
        let mut request = GetSetRequest::set(name, value);
        request.lock_key = key;
        self.ask(&request).await
    }

    /// Closes the connection; the next question makes a new one.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Waits until the device closes the connection, which it may do when nothing is asked; for
    /// ever while there is none.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn closed(&self) {
        match &self.connection {
            Some(connection) => connection.closed().await,
            None => std::future::pending().await,
        }
    }

    async fn ask(&mut self, request: &GetSetRequest) -> Result<String, ControlError> {
        match self.ask_once(request).await {
            Err(error) if error.is_broken_connection() => {
                debug!(device = %self.device, %error, "asking the tuner again");
                self.reconnects += 1;
                self.ask_once(request).await
            }
            answer => answer,
        }
    }

    async fn ask_once(&mut self, request: &GetSetRequest) -> Result<String, ControlError> {
        // Taken out, so that a dropped future or an error leaves no connection out of step.
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_out_of_step() => connection,
            _ => Connection::open(self.device, self.options.timeout).await?,
        };
        let reply = connection.exchange(request).await?;
        self.connection = Some(connection);
        if let Some(text) = reply.error {
            return Err(ControlError::refused(self.device, &request.name, &text));
        }
        Ok(reply.value.unwrap_or_default())
    }
}
