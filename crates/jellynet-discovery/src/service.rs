//! The responder over real sockets.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jellynet_netif::{Driver, Events, Interfaces, UdpConfig, UdpCounters, UdpStatus, drive};

use crate::PORT;
use crate::id::ServerId;
use crate::responder::{Identity, Responder, ResponderEvent, ResponderStats};
use crate::search::{Search, seek};
use crate::seeker::{Found, SeekEvent, SeekerConfig};

/// Answers on 7359/udp until it is dropped.
///
/// The port is shared with other programs on this host that share it. If it cannot be had, this is
/// in the [status](Self::status), is logged once, and is tried again; nothing fails for it.
///
/// # Examples
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use jellynet_discovery::{
///     DiscoveryService, Identity, Responder, ResponderConfig, ServerId,
/// };
/// use jellynet_netif::Interfaces;
///
/// let id = ServerId::load_or_create("server-id".as_ref())?;
/// let identity = Identity::new(id, "Living room", |asker| Some(asker.http(8096)));
/// let responder = Responder::new(ResponderConfig::default()).with_identity(identity);
/// let mut service = DiscoveryService::spawn(responder, Interfaces::watch()?);
/// while let Some(event) = service.next().await {
///     println!("{event:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DiscoveryService {
    driver: Driver<Responder>,
    events: Events<ResponderEvent>,
    interfaces: Interfaces,
    conflicts: Option<Search>,
}

/// What a [`DiscoveryService`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoveryEvent {
    /// A client asked.
    Asked(ResponderEvent),
    /// Another host answers with one of our ids: clients will take one of us for the other.
    Conflict(Found),
}

impl DiscoveryService {
    /// Answers on port 7359 of every interface.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn spawn(responder: Responder, interfaces: Interfaces) -> Self {
        Self::spawn_with(responder, UdpConfig::listen(PORT), interfaces)
    }

    /// Answers on other sockets, for those who know why: another port, not every interface, a
    /// port that nobody else may use.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn spawn_with(responder: Responder, udp: UdpConfig, interfaces: Interfaces) -> Self {
        let (driver, events) = drive(responder, udp, interfaces.clone());
        Self { driver, events, interfaces, conflicts: None }
    }

    /// Looks for other hosts that answer with one of our ids, once; what is found comes out of
    /// [`next`](Self::next). To be called when the identities are known, and then whenever it
    /// is worth three questions.
    pub fn look_for_conflicts(&mut self) {
        let own = self.ids();
        if own.is_empty() {
            self.conflicts = None;
            return;
        }
        let port = self.driver.status().listening().next();
        let config = SeekerConfig::default()
            .with_own(own)
            .with_port(port.map_or(PORT, |local| local.port()));
        self.conflicts = Some(seek(config, self.interfaces.clone()));
    }

    /// Speaks for this server from now on, in place of one with the same id.
    pub fn advertise(&self, identity: Identity) {
        self.driver.with(|responder, _now| responder.advertise(identity));
    }

    /// Speaks for the server with this id no more.
    pub fn withdraw(&self, id: ServerId) {
        self.driver.with(|responder, _now| responder.withdraw(id));
    }

    /// The ids it speaks for.
    #[must_use]
    pub fn ids(&self) -> Vec<ServerId> {
        self.driver.with(|responder, _now| {
            let identities = responder.identities().iter();
            identities.map(Identity::id).collect()
        })
    }

    /// What became of the questions.
    #[must_use]
    pub fn stats(&self) -> ResponderStats {
        self.driver.with(|responder, _now| responder.stats())
    }

    /// How the sockets stand.
    #[must_use]
    pub fn status(&self) -> Arc<UdpStatus> {
        self.driver.status()
    }

    /// How much went through the sockets.
    #[must_use]
    pub fn counters(&self) -> UdpCounters {
        self.driver.counters()
    }

    /// A handle to the responder, for those who keep the service elsewhere.
    #[must_use]
    pub fn driver(&self) -> Driver<Responder> {
        self.driver.clone()
    }

    /// The next event; `None` after the end. Nobody needs to wait for events: what is not taken
    /// is dropped.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<DiscoveryEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, for those who poll.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<DiscoveryEvent>> {
        while let Some(search) = &mut self.conflicts {
            match search.poll_event(cx) {
                Poll::Ready(Some(SeekEvent::Conflict(found))) => {
                    return Poll::Ready(Some(DiscoveryEvent::Conflict(found)));
                }
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => self.conflicts = None,
                Poll::Pending => break,
            }
        }
        let event = self.events.poll_next(cx);
        event.map(|event| event.map(DiscoveryEvent::Asked))
    }

    /// Answers what was asked already, and frees the port.
    pub async fn shutdown(self) {
        self.driver.shutdown(Duration::ZERO).await;
    }
}
