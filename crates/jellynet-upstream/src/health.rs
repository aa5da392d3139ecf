//! Is the upstream up, and who is it?

mod probe;

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::answer::chain;
use crate::error::ForwardError;

pub use self::probe::ProbeConfig;

/// How an upstream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It takes connections and does not yet work, or was not yet asked.
    #[default]
    Starting,
    /// It answers.
    Up,
    /// It takes no connection.
    Down,
}

impl State {
    /// A stable lower-case word for logs, labels and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Who a media server says it is, in its public system information.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[non_exhaustive]
pub struct Identity {
    /// `Id`: 32 hexadecimal digits as a rule.
    #[serde(rename = "Id", alias = "id")]
    pub id: String,
    /// `ServerName`.
    #[serde(rename = "ServerName", alias = "serverName", default)]
    pub server_name: String,
    /// `Version`.
    #[serde(rename = "Version", alias = "version", default)]
    pub version: String,
    /// `ProductName`; `Jellyfin Server` for Jellyfin.
    #[serde(rename = "ProductName", alias = "productName", default)]
    pub product_name: String,
    /// `StartupWizardCompleted`, where it is told.
    #[serde(rename = "StartupWizardCompleted", alias = "startupWizardCompleted", default)]
    pub startup_wizard_completed: Option<bool>,
}

/// State and identity at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// How the upstream is.
    pub state: State,
    /// Who it is, or last was: an upstream that restarts keeps its identity.
    pub identity: Option<Arc<Identity>>,
    /// Why it is not up, as one line.
    pub reason: Option<String>,
}

/// Follows the status of an upstream.
#[derive(Clone, Debug)]
pub struct StatusWatch(watch::Receiver<Status>);

impl StatusWatch {
    /// The status now.
    #[must_use]
    pub fn current(&self) -> Status {
        self.0.borrow().clone()
    }

    /// Waits for the next change and gives the status then; `None` when the upstream is gone.
    ///
    /// # Cancel safety
    ///
    /// No change is lost when the future is dropped.
    pub async fn changed(&mut self) -> Option<Status> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    /// Waits until the upstream is in `state`; `None` when it is gone before.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn reached(&mut self, state: State) -> Option<Status> {
        let status = self.0.wait_for(|status| status.state == state).await;
        Some(status.ok()?.clone())
    }
}

#[derive(Debug)]
pub(crate) struct Health {
    status: watch::Sender<Status>,
    /// Wakes the probe before its time.
    hurry: Notify,
    /// Where it is, for the log.
    upstream: String,
}

impl Health {
    pub(crate) fn new(upstream: String) -> Self {
        Self { status: watch::Sender::new(Status::default()), hurry: Notify::new(), upstream }
    }

    pub(crate) fn watch(&self) -> StatusWatch {
        StatusWatch(self.status.subscribe())
    }

    /// A request found nobody there.
    pub(crate) fn connect_failed(&self, error: &ForwardError) {
        self.set(State::Down, None, Some(chain(error)));
        self.hurry.notify_one();
    }

    /// A request got through: whether all is well again, the probe finds out at once.
    pub(crate) fn connected(&self) {
        if self.status.borrow().state == State::Down {
            self.set(State::Starting, None, None);
            self.hurry.notify_one();
        }
    }

    /// Takes a new status; watchers wake only when it is another one.
    fn set(&self, state: State, identity: Option<Identity>, reason: Option<String>) {
        let before = self.status.borrow().state;
        let changed = self.status.send_if_modified(|status| {
            let known = status.identity.as_deref();
            let new = identity.filter(|identity| known != Some(identity));
            let changed = status.state != state || new.is_some();
            status.state = state;
            if let Some(identity) = new {
                status.identity = Some(Arc::new(identity));
            }
            // Whoever looks sees the latest; it wakes nobody, for it may hold the time of day.
            status.reason = reason;
            changed
        });
        if changed && before != state {
            let status = self.status.borrow();
            let upstream = self.upstream.as_str();
            let cause = status.reason.as_deref().unwrap_or_default();
            match state {
                State::Down => tracing::warn!(upstream, cause, "upstream is down"),
                State::Starting => tracing::info!(upstream, cause, "upstream is starting"),
                State::Up => tracing::info!(upstream, "upstream is up"),
            }
        }
    }
}
