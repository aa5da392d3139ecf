//! The seeker over real sockets.

use std::task::{Context, Poll, ready};

use jellynet_netif::{Driver, Events, Interfaces, UdpConfig, UdpStatus, drive};

use crate::seeker::{SeekEvent, Seeker, SeekerConfig, Server};

/// Begins to seek, on every interface that there is or comes.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// # Examples
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use jellynet_discovery::{SeekEvent, SeekerConfig, seek};
/// use jellynet_netif::Interfaces;
///
/// let mut search = seek(SeekerConfig::default(), Interfaces::watch()?);
/// while let Some(event) = search.next().await {
///     if let SeekEvent::Found(found) = event {
///         println!("{} at {}", found.answer.name, found.answer.address);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn seek(config: SeekerConfig, interfaces: Interfaces) -> Search {
    let udp = UdpConfig::announce().with_broadcast();
    let (driver, events) = drive(Seeker::new(config), udp, interfaces);
    Search { driver, events, over: false }
}

/// A search under way. It ends when it is dropped.
#[derive(Debug)]
pub struct Search {
    driver: Driver<Seeker>,
    events: Events<SeekEvent>,
    over: bool,
}

impl Search {
    /// The next event; `None` when the time is over.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<SeekEvent> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, for those who poll.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<SeekEvent>> {
        if self.over {
            return Poll::Ready(None);
        }
        match ready!(self.events.poll_next(cx)) {
            Some(SeekEvent::Over) | None => {
                self.over = true;
                Poll::Ready(None)
            }
            event => Poll::Ready(event),
        }
    }

    /// The servers found so far.
    #[must_use]
    pub fn servers(&self) -> Vec<Server> {
        self.driver.with(|seeker, _now| seeker.servers().to_vec())
    }

    /// How the sockets stand.
    #[must_use]
    pub fn status(&self) -> std::sync::Arc<UdpStatus> {
        self.driver.status()
    }
}

/// The events until the time is over.
#[cfg(feature = "stream")]
impl futures_core::Stream for Search {
    type Item = SeekEvent;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<SeekEvent>> {
        self.poll_event(cx)
    }
}
