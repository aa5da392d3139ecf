//! What is asked of the fronts.

use std::future::Future;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::front::{Front, Kind};
use crate::load::{Client, Load, Tls, buffer};
use crate::site::{LARGE, SMALL};

/// Until what was begun in the last moment is done, and counted.
const SETTLE: Duration = Duration::from_millis(50);
/// Until idle connections have given back what they can.
const REST: Duration = Duration::from_secs(4);
/// Bytes of one range.
const RANGE: u64 = 10 << 20;
const GIB: f64 = (1_u64 << 30) as f64;

/// A case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// 1 KiB on kept connections.
    KeepAlive,
    /// 1 KiB, each on a connection of its own.
    NewConnection,
    /// 256 MiB.
    Body,
    /// 64 ranges of 10 MiB at once.
    Ranges,
    /// Messages through a WebSocket and back.
    WebSocket,
    /// Memory of 10,000 idle connections.
    Idle,
    /// 1 KiB, each on a connection of its own, with a whole TLS handshake.
    TlsNew,
    /// 1 KiB, each on a connection of its own that resumes a TLS session.
    TlsResumed,
    /// 1 KiB on kept TLS connections.
    TlsKeepAlive,
    /// 256 MiB over TLS.
    TlsBody,
}

/// How much is asked in one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// At the same time.
    pub(crate) clients: u64,
    /// Requests, messages or connections in all.
    pub(crate) count: u64,
}

impl Work {
    /// A tenth, for warming up: each client does something.
    pub(crate) fn tenth(self) -> Self {
        Self { count: (self.count / 10).max(self.clients), ..self }
    }

    fn each(self) -> u64 {
        (self.count / self.clients).max(1)
    }
}

/// What one turn has cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// In the case's own unit.
    pub(crate) cost: f64,
    /// In the case's own unit per second; nothing where time says nothing.
    pub(crate) rate: Option<f64>,
}

impl Case {
    pub(crate) const ALL: [Self; 10] = [
        Self::KeepAlive,
        Self::NewConnection,
        Self::Body,
        Self::Ranges,
        Self::WebSocket,
        Self::Idle,
        Self::TlsNew,
        Self::TlsResumed,
        Self::TlsKeepAlive,
        Self::TlsBody,
    ];

    pub(crate) fn work(self, quick: bool) -> Work {
        let (clients, count) = match self {
            Self::KeepAlive => (32, 32_000),
            Self::NewConnection => (8, 10_000),
            Self::Body | Self::TlsBody => (1, 4),
            Self::Ranges => (64, 128),
            Self::WebSocket => (32, 32_000),
            Self::Idle => (50, 10_000),
            Self::TlsNew => (8, 2_400),
            Self::TlsResumed => (8, 4_000),
            Self::TlsKeepAlive => (32, 20_000),
        };
        let work = Work { clients, count };
        if quick { work.tenth() } else { work }
    }

    pub(crate) fn wants_fresh_fronts(self) -> bool {
        self == Self::Idle
    }

    /// Where the cost should be, as a multiple of another front's.
    pub(crate) fn goals(self) -> &'static [(Kind, f64)] {
        match self {
            Self::KeepAlive | Self::NewConnection | Self::WebSocket => {
                &[(Kind::Nginx, 1.0), (Kind::Haproxy, 1.0)]
            }
            Self::Body | Self::Ranges => &[(Kind::Haproxy, 0.6)],
            _ => &[(Kind::Nginx, 1.0)],
        }
    }

    /// The units of cost and of rate.
    pub(crate) fn units(self) -> (&'static str, &'static str) {
        match self {
            Self::Body | Self::Ranges | Self::TlsBody => ("s/GiB", "GiB/s"),
            Self::WebSocket => ("us/message", "messages/s"),
            Self::Idle => ("KiB/connection", ""),
            _ => ("us/request", "requests/s"),
        }
    }

    const fn tls(self) -> Tls {
        match self {
            Self::TlsNew | Self::TlsKeepAlive | Self::TlsBody => Tls::Full,
            Self::TlsResumed => Tls::Resumed,
            _ => Tls::No,
        }
    }
}

/// Lets one front do the work.
pub(crate) async fn turn(case: Case, work: Work, load: &Load, front: &Front) -> Turn {
    let tls = case.tls();
    if case == Case::Idle {
        return idle(work, load, front).await;
    }
    let each = work.each();
    match case {
        Case::KeepAlive | Case::TlsKeepAlive => {
            let clients = connected(work, load, tls, false).await;
            let ask = move |client| small(client, each);
            timed(front, clients, ask, per_request(work)).await
        }
        Case::NewConnection | Case::TlsNew | Case::TlsResumed => {
            let mut loads = Vec::new();
            for _ in 0..work.clients {
                let load = load.with_own_sessions();
                if tls == Tls::Resumed {
                    first_session(&load).await;
                }
                loads.push(load);
            }
            timed(front, loads, move |load| connections(load, tls, each), per_request(work)).await
        }
        Case::WebSocket => {
            let clients = connected(work, load, tls, true).await;
            timed(front, clients, move |client| messages(client, each), per_request(work)).await
        }
        Case::Body | Case::TlsBody => {
            let clients = connected(work, load, tls, false).await;
            let ask = move |client| large(client, String::new(), LARGE, each);
            timed(front, clients, ask, per_byte(LARGE, work)).await
        }
        Case::Ranges | Case::Idle => {
            let clients = connected(work, load, tls, false).await;
            let numbered = (0_u64..).zip(clients).collect();
            let ask = move |(number, client): (u64, Client)| {
                let from = number * (2 << 20);
                let range = format!("Range: bytes={from}-{}\r\n", from + RANGE - 1);
                large(client, range, RANGE, each)
            };
            timed(front, numbered, ask, per_byte(RANGE, work)).await
        }
    }
}

/// Units of rate in one turn, and units of cost in one second per such a unit.
type Scale = (f64, f64);

fn per_request(work: Work) -> Scale {
    ((work.each() * work.clients) as f64, 1e6)
}

fn per_byte(bytes: u64, work: Work) -> Scale {
    ((bytes * work.each() * work.clients) as f64 / GIB, 1.0)
}

/// Runs one task for each of `on`, and tells what they cost the front.
async fn timed<C, F>(
    front: &Front,
    on: Vec<C>,
    ask: impl Fn(C) -> F,
    (units, factor): Scale,
) -> Turn
where
    F: Future<Output = ()> + Send + 'static,
{
    sleep(SETTLE).await;
    let (before, begin) = (front.process.processor_time(), Instant::now());
    let tasks: JoinSet<()> = on.into_iter().map(ask).collect();
    tasks.join_all().await;
    let took = begin.elapsed();
    sleep(SETTLE).await;
    let cost = front.process.processor_time() - before;
    Turn { cost: cost.as_secs_f64() * factor / units, rate: Some(units / took.as_secs_f64()) }
}

/// All clients of a turn, with their connections open.
async fn connected(work: Work, load: &Load, tls: Tls, upgrade: bool) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..work.clients {
        let mut client = load.connect(tls).await;
        if upgrade {
            client.upgrade().await;
        }
        clients.push(client);
    }
    clients
}

/// The session that is resumed first; each resumption brings the next.
async fn first_session(load: &Load) {
    let mut client = load.connect(Tls::Resumed).await;
    client.get(&request("small", "Connection: close\r\n"), SMALL, &mut buffer()).await;
    client.finish().await;
}

fn request(file: &str, more: &str) -> Vec<u8> {
    format!(
        "GET /media/{file} HTTP/1.1\r\nHost: tv.test\r\nUser-Agent: side-by-side\r\n\
         Accept: */*\r\nX-Forwarded-For: 203.0.113.7\r\n{more}\r\n"
    )
    .into_bytes()
}

async fn small(mut client: Client, count: u64) {
    let (request, mut buffer) = (request("small", ""), buffer());
    for _ in 0..count {
        client.get(&request, SMALL, &mut buffer).await;
    }
}

async fn large(mut client: Client, range: String, length: u64, count: u64) {
    let (request, mut buffer) = (request("large", &range), buffer());
    for _ in 0..count {
        client.get(&request, length, &mut buffer).await;
    }
}

async fn messages(mut client: Client, count: u64) {
    for _ in 0..count {
        client.echo().await;
    }
}

async fn connections(load: Load, tls: Tls, count: u64) {
    let (request, mut buffer) = (request("small", "Connection: close\r\n"), buffer());
    for _ in 0..count {
        let mut client = load.connect(tls).await;
        if tls != Tls::No {
            assert_eq!(client.is_resumed(), tls == Tls::Resumed, "another kind of handshake");
        }
        client.get(&request, SMALL, &mut buffer).await;
        client.finish().await;
    }
}

/// Connections that have each asked once and then rest: what memory each holds.
async fn idle(work: Work, load: &Load, front: &Front) -> Turn {
    let (request, mut buffer) = (request("small", ""), buffer());
    load.connect(Tls::No).await.get(&request, SMALL, &mut buffer).await;
    sleep(SETTLE).await;
    let before = front.process.memory();
    let each = work.each();
    let mut tasks = JoinSet::new();
    for _ in 0..work.clients {
        let (load, request) = (load.clone(), request.clone());
        tasks.spawn(async move {
            let (mut clients, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
            for _ in 0..each {
                let mut client = load.connect(Tls::No).await;
                client.get(&request, SMALL, &mut buffer).await;
                clients.push(client);
            }
            clients
        });
    }
    let clients = tasks.join_all().await;
    sleep(REST).await;
    let more = front.process.memory().saturating_sub(before);
    drop(clients);
    Turn { cost: more as f64 / 1024.0 / (each * work.clients) as f64, rate: None }
}
