//! The control side on this host's network.

use std::sync::Arc;
use std::task::{Context, Poll};

use jellynet_netif::{Driver, Events, Interfaces, UdpConfig, UdpStatus, drive};

use super::sockets::{DEFAULT_HOPS, ssdp, with_interfaces};
use crate::searcher::{
    Found, Searcher, SearcherConfig, SearcherConfigError, SearcherCounters, SearcherEvent,
};

/// Looks for devices on this host's network, in a task of its own, until it is dropped.
///
/// # Examples
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use jellynet_netif::Interfaces;
/// use jellynet_ssdp::{Search, SearcherConfig, SearcherEvent, Target, product_line, seed};
///
/// let agent = product_line("example", "1.0");
/// let config = SearcherConfig::new([Target::media_servers()], agent, seed());
/// let mut search = Search::start(config, Interfaces::watch()?)?;
/// while let Some(event) = search.next().await {
///     if let SearcherEvent::Alive(found) = event {
///         println!("{} {}", found.usn, found.location);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Search {
    driver: Driver<Searcher>,
    events: Events<SearcherEvent>,
}

impl Search {
    /// Starts searching.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be searched for. Sockets that cannot be opened are no error
    /// but stand in the [status](Search::status).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time.
    pub fn start(
        config: SearcherConfig,
        interfaces: Interfaces,
    ) -> Result<Self, SearcherConfigError> {
        let (families, filter) = (config.families, config.interfaces.clone());
        let udp = if config.listen {
            ssdp(families, &filter, DEFAULT_HOPS)
        } else {
            with_interfaces(UdpConfig::announce(), families, &filter)
                .with_multicast_hops(DEFAULT_HOPS)
        };
        let (driver, events) = drive(Searcher::new(config)?, udp, interfaces);
        Ok(Self { driver, events })
    }

    /// The next that comes, changes or goes.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<SearcherEvent> {
        self.events.next().await
    }

    /// The same, for those who write a stream.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<SearcherEvent>> {
        self.events.poll_next(cx)
    }

    /// Everything that is there now.
    #[must_use]
    pub fn found(&self) -> Vec<Found> {
        self.driver.with(|searcher, _| searcher.found().collect())
    }

    /// Searches once more, as when a user asks.
    pub fn again(&self) {
        self.driver.with(Searcher::search_again);
    }

    /// What was seen.
    #[must_use]
    pub fn counters(&self) -> SearcherCounters {
        self.driver.with(|searcher, _| searcher.counters())
    }

    /// How the sockets stand.
    #[must_use]
    pub fn status(&self) -> Arc<UdpStatus> {
        self.driver.status()
    }
}
