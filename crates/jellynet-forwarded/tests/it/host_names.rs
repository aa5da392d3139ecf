//! Proxies that are known by host name.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use jellynet_forwarded::{
    Contract, HostNames, KnownProxies, LiveRules, NameEvent, NamesConfig, Resolve, Rules,
};
use tokio::sync::mpsc;
use tokio::time;

type Answer = Option<Vec<&'static str>>;

/// Gives the answers in turn; `None` never answers. When they are used up, names do not exist.
struct Script(Mutex<VecDeque<Answer>>);

impl Script {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self(Mutex::new(answers.into_iter().collect()))
    }
}

impl Resolve for Script {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        assert_eq!(name, "nginx");
        let answer = self.0.lock().unwrap().pop_front();
        match answer {
            None => Err(io::Error::other("no such name")),
            Some(None) => std::future::pending().await,
            Some(Some(addresses)) => Ok(addresses.iter().map(|ip| ip.parse().unwrap()).collect()),
        }
    }
}

fn contract(rules: &LiveRules, ip: &str) -> Option<Contract> {
    rules.load().proxies().contract(ip.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_moves_is_followed() {
    let known = KnownProxies::parse(["10.0.0.2", "nginx sets for"]).unwrap();
    let rules = LiveRules::new(Rules::new(known.to_set()));
    let script = Script::new([
        Some(vec!["172.18.0.5"]),
        Some(vec!["172.18.0.5"]),
        None,
        Some(vec![]),
        Some(vec!["172.18.0.9", "fd00::9"]),
    ]);
    let names = HostNames::new(known, rules.clone()).with_resolver(script);
    let (tell, mut told) = mpsc::unbounded_channel();
    let start = time::Instant::now();
    let task = tokio::spawn(names.run(move |event| tell.send(event).unwrap()));

    assert!(matches!(told.recv().await, Some(NameEvent::Changed { .. })));
    assert_eq!(contract(&rules, "172.18.0.5"), Some(Contract::FOR));
    assert_eq!(contract(&rules, "10.0.0.2"), Some(Contract::STANDARD), "the others stay");

    let Some(NameEvent::Failed { error, kept, .. }) = told.recv().await else {
        panic!("it should fail");
    };
    assert_eq!((error.as_str(), kept), ("no answer within 5s", 1));
    assert_eq!(start.elapsed(), Duration::from_secs(125), "60 s twice, and the time-out");
    assert!(contract(&rules, "172.18.0.5").is_some(), "the last good answer is kept");

    let Some(NameEvent::Changed { added, removed, .. }) = told.recv().await else {
        panic!("it should change");
    };
    assert_eq!((added.len(), removed.len()), (2, 1));
    assert_eq!(start.elapsed(), Duration::from_secs(145), "10 s between tries");
    assert!(contract(&rules, "172.18.0.5").is_none());
    assert!(contract(&rules, "fd00::9").is_some());

    assert!(matches!(told.recv().await, Some(NameEvent::Failed { kept: 2, .. })));
    assert!(matches!(told.recv().await, Some(NameEvent::Expired { .. })));
    assert!(start.elapsed() >= Duration::from_secs(86400));
    assert!(contract(&rules, "172.18.0.9").is_none(), "too old to be true");
    assert!(contract(&rules, "10.0.0.2").is_some());
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn without_names_there_is_nothing_to_follow() {
    let known = KnownProxies::parse(["10.0.0.2"]).unwrap();
    let rules = LiveRules::new(Rules::new(known.to_set()));
    let names = HostNames::new(known, rules).with_config(NamesConfig::default());
    names.run(|event| panic!("{event:?}")).await;
}

#[tokio::test]
async fn the_hosts_own_resolver_knows_localhost() {
    let addresses = jellynet_forwarded::SystemResolver::new().resolve("localhost").await;
    assert!(addresses.unwrap().iter().any(IpAddr::is_loopback));
}
