//! What a searcher is told.

use std::time::Duration;

use ipnet::IpNet;

use crate::link::{Families, InterfaceFilter};
use crate::message::{FieldValue, FieldValueError};
use crate::target::Target;

/// The most targets of one searcher.
pub const MAX_TARGETS: usize = 16;

/// What a [`Searcher`](super::Searcher) is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SearcherConfig {
    /// What is looked for.
    pub targets: Vec<Target>,
    /// The value of `USER-AGENT`: operating system, UPnP version and product, each with its
    /// version.
    pub user_agent: String,
    /// The seed of every random delay.
    pub seed: u64,
    /// Within how many seconds devices shall answer. Default: 2; 1 to 5 are possible (UPnP
    /// Device Architecture 2.0 § 1.3.2).
    pub mx: u32,
    /// How long until the next search. Default: 300 s; `None` searches once per link.
    pub interval: Option<Duration>,
    /// Whether announcements are heard as well, which takes port 1900, shared. Default: yes.
    pub listen: bool,
    /// Which families are spoken. Default: both.
    pub families: Families,
    /// Which interfaces are used. Default: all but loopback and VPNs.
    pub interfaces: InterfaceFilter,
    /// Which sources count besides those on the link. Default: none.
    pub sources: Vec<IpNet>,
    /// How many devices and services are kept. Default: 1024; one sender may name a quarter of
    /// them.
    pub most: usize,
}

impl SearcherConfig {
    /// The configuration with every default.
    #[must_use]
    pub fn new(
        targets: impl IntoIterator<Item = Target>,
        user_agent: impl Into<String>,
        seed: u64,
    ) -> Self {
        Self {
            targets: targets.into_iter().collect(),
            user_agent: user_agent.into(),
            seed,
            mx: 2,
            interval: Some(Duration::from_secs(300)),
            listen: true,
            families: Families::default(),
            interfaces: InterfaceFilter::default(),
            sources: Vec::new(),
            most: 1024,
        }
    }

    pub(super) fn check(&self) -> Result<(), SearcherConfigError> {
        FieldValue::new(&self.user_agent).map_err(SearcherConfigError::UserAgent)?;
        if !(1..=5).contains(&self.mx) {
            return Err(SearcherConfigError::Mx(self.mx));
        }
        if self.targets.is_empty() || self.targets.len() > MAX_TARGETS {
            return Err(SearcherConfigError::Targets(self.targets.len()));
        }
        if let Some(interval) = self.interval.filter(|i| *i < Duration::from_secs(5)) {
            return Err(SearcherConfigError::Interval(interval));
        }
        Ok(())
    }
}

/// Why nothing can be searched for this way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearcherConfigError {
    /// The product line cannot stand in a header.
    #[error("the user agent cannot be sent")]
    UserAgent(#[source] FieldValueError),
    /// Devices cannot be asked to answer within that.
    #[error("devices answer within 1 to 5 seconds, not {0}")]
    Mx(u32),
    /// No target, or more than [`MAX_TARGETS`].
    #[error("{0} search targets, 1 to {MAX_TARGETS} are allowed")]
    Targets(usize),
    /// Searching that often is a storm.
    #[error("a search each {} ms, 5 seconds or more are allowed", .0.as_millis())]
    Interval(Duration),
}
