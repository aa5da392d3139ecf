//! Follows the addresses of proxies that are known by host name.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{self, Instant};

use crate::live::LiveRules;
use crate::names::{NameEvent, Names};
use crate::proxies::KnownProxies;

/// Asks for the addresses of a host name.
pub trait Resolve: Send + Sync {
    /// The addresses of this host name, of both families.
    ///
    /// # Errors
    ///
    /// Whatever keeps the resolver from an answer, a name that does not exist included.
    fn resolve(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// The resolver of this host (`getaddrinfo`), which knows `/etc/hosts` and a container's names.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemResolver;

impl SystemResolver {
    /// This host's resolver.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = tokio::net::lookup_host((name, 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}

/// When names are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamesConfig {
    /// How long an answer is taken for true. Default: 60 s; the system's resolver tells no TTL,
    /// and a container that is restarted must be found again soon.
    pub interval: Duration,
    /// How soon a name that does not resolve is asked for again. Default: 10 s.
    pub retry: Duration,
    /// How long one question may take. Default: 5 s.
    pub timeout: Duration,
    /// How long the last good answer is kept while a name does not resolve. Default: 24 h.
    pub max_age: Duration,
}

impl Default for NamesConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            retry: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            max_age: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// Keeps the proxies of [`LiveRules`] in step with what their host names resolve to.
#[derive(Debug)]
pub struct HostNames<R = SystemResolver> {
    known: KnownProxies,
    rules: LiveRules,
    config: NamesConfig,
    resolver: R,
}

impl HostNames {
    /// Follows the host names of `known` by this host's resolver, and puts what they resolve to
    /// in force in `rules`.
    #[must_use]
    pub fn new(known: KnownProxies, rules: LiveRules) -> Self {
        Self { known, rules, config: NamesConfig::default(), resolver: SystemResolver }
    }
}

impl<R: Resolve> HostNames<R> {
    /// Asks another resolver.
    #[must_use]
    pub fn with_resolver<N: Resolve>(self, resolver: N) -> HostNames<N> {
        HostNames { known: self.known, rules: self.rules, config: self.config, resolver }
    }

    /// Asks at other times.
    #[must_use]
    pub const fn with_config(mut self, config: NamesConfig) -> Self {
        self.config = config;
        self
    }

    /// Asks for all names, puts the answers in force, tells what changed, and waits for the next
    /// time. Ends at once if there are no names; otherwise runs until it is dropped.
    ///
    /// No request ever waits for a name: a name counts from its first answer on.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time; the addresses in force stay. Drop it before new rules with
    /// other proxies are put in force.
    pub async fn run(self, mut tell: impl FnMut(NameEvent)) {
        let mut names = Names::new(self.known.host_names(), self.config.max_age);
        let all = names.names();
        if all.is_empty() {
            return;
        }
        loop {
            for name in &all {
                let answer = self.ask(name).await;
                let Some(event) = names.answer(name, answer, Instant::now().into_std()) else {
                    continue;
                };
                if !matches!(event, NameEvent::Failed { .. }) {
                    let set = self.known.to_set_with(|name| names.addresses(name));
                    self.rules.set_proxies(set);
                }
                tell(event);
            }
            let pause = if names.is_failing() {
                self.config.retry.min(self.config.interval)
            } else {
                self.config.interval
            };
            time::sleep(pause).await;
        }
    }

    async fn ask(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        match time::timeout(self.config.timeout, self.resolver.resolve(name)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {:?}", self.config.timeout)),
        }
    }
}
