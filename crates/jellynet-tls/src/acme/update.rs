//! TXT records by dynamic update (RFC 2136), signed with a shared key (RFC 8945).
//!
//! 1. Every message goes over TCP and is signed; an answer counts if it is signed as well.
//! 2. A zone that is not given is the one that the name server itself says the record is in.
//! 3. One record is added beside those that are there, and that one is removed again.

mod key;
mod message;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{DnsError, DnsFuture, DnsProvider};
use crate::time::Timestamp;

pub use key::{TsigAlgorithm, TsigKey, TsigKeyError};

use message::{Answer, Change, Name};

/// Seconds for which others may keep a record. It is needed once.
const TTL: u32 = 60;

/// Sets records on a name server by dynamic update: BIND, Knot, PowerDNS and the like.
///
/// # Examples
///
/// ```no_run
/// # fn example() -> Result<(), jellynet_tls::TsigKeyError> {
/// use jellynet_tls::{Challenge, DnsUpdate, TsigKey};
///
/// let key = TsigKey::read("/etc/jellynet/tsig.key".as_ref(), None, None)?;
/// let challenge = Challenge::Dns01(std::sync::Arc::new(DnsUpdate::new("ns.example.org", key)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DnsUpdate {
    server: String,
    key: TsigKey,
    zone: Option<String>,
    pause: Duration,
    limit: Duration,
    clock: fn() -> Timestamp,
}

impl DnsUpdate {
    /// For the primary name server: a name or address, and a port if it is not 53.
    ///
    /// After each record follows a pause of 10 s, for secondary servers to catch up. A server has
    /// 10 s to answer.
    pub fn new(server: impl Into<String>, key: TsigKey) -> Self {
        let (pause, limit) = (Duration::from_secs(10), Duration::from_secs(10));
        Self {
            server: with_port(server.into()),
            key,
            zone: None,
            pause,
            limit,
            clock: Timestamp::now,
        }
    }

    /// With this zone, instead of the one that the server names.
    #[must_use]
    pub fn with_zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// With another pause.
    #[must_use]
    pub const fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// With another clock than this host's: signatures are good for five minutes.
    #[must_use]
    pub const fn with_clock(mut self, clock: fn() -> Timestamp) -> Self {
        self.clock = clock;
        self
    }

    async fn change(&self, record: &str, value: &str, change: Change) -> Result<(), DnsError> {
        let no_name = |text: &str| UpdateProblem::NoName { name: text.to_owned() };
        let name = Name::parse(record).ok_or_else(|| self.failed(no_name(record)))?;
        let zone = match &self.zone {
            Some(zone) => Name::parse(zone).ok_or_else(|| self.failed(no_name(zone)))?,
            None => self.zone_of(&name).await?,
        };
        if !name.is_in(&zone) {
            let (name, zone) = (name.to_string(), zone.to_string());
            return Err(self.failed(UpdateProblem::OutOfZone { name, zone }));
        }
        let message = message::update(id(), &zone, &name, value, change);
        let message = message.ok_or_else(|| self.failed(no_name(value)))?;
        let answer = self.exchange(&message, &zone).await?;
        match answer.code {
            0 => Ok(()),
            code => Err(self.failed(UpdateProblem::of(code, &self.key, &zone))),
        }
    }

    /// An authority names its zone even where there is no such record (RFC 2308 § 3).
    async fn zone_of(&self, name: &Name) -> Result<Name, DnsError> {
        let no_zone = || self.failed(UpdateProblem::NoZone { name: name.to_string() });
        match self.exchange(&message::zone_of(id(), name), name).await {
            Ok(answer) => {
                let zone = answer.zone.filter(|zone| answer.authoritative && name.is_in(zone));
                zone.ok_or_else(no_zone)
            }
            Err(DnsError::Update { problem: UpdateProblem::Refused { .. }, .. }) => Err(no_zone()),
            Err(error) => Err(error),
        }
    }

    /// Asks, and looks at the signature of the answer.
    async fn exchange(&self, message: &[u8], zone: &Name) -> Result<Answer, DnsError> {
        let now = u64::try_from((self.clock)().as_unix()).unwrap_or_default();
        let (signed, mac) = message::sign(message, &self.key, now);
        let bytes = timeout(self.limit, ask(&self.server, &signed))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| DnsError::NameServer { server: self.server.clone(), source })?;
        let answer = Answer::read(&bytes)
            .filter(|answer| message.starts_with(&answer.id.to_be_bytes()))
            .ok_or_else(|| self.failed(UpdateProblem::Garbled))?;
        if let Some(problem) = UpdateProblem::of_signature(&answer, &self.key, now) {
            return Err(self.failed(problem));
        }
        if !answer.is_signed_by(&self.key, &mac) {
            // Some refuse without a signature; that they refuse is what helps.
            return Err(self.failed(match answer.code {
                0 | 3 => UpdateProblem::Unsigned,
                code => UpdateProblem::of(code, &self.key, zone),
            }));
        }
        Ok(answer)
    }

    fn failed(&self, problem: UpdateProblem) -> DnsError {
        DnsError::Update { server: self.server.clone(), problem }
    }
}

impl DnsProvider for DnsUpdate {
    fn add_txt<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        Box::pin(async move {
            self.change(name, value, Change::Add { ttl: TTL }).await?;
            sleep(self.pause).await;
            Ok(())
        })
    }

    fn remove_txt<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        Box::pin(self.change(name, value, Change::Remove))
    }
}

/// Why a name server does not change a record. `Display` continues "the name server …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateProblem {
    /// BADKEY.
    #[error(
        "does not know the key {key} with {algorithm}: are both the same in its configuration?"
    )]
    BadKey {
        /// The key's name.
        key: String,
        /// Its algorithm.
        algorithm: TsigAlgorithm,
    },
    /// BADSIG.
    #[error("has another secret for the key {key}: copy the key file from there again")]
    BadSignature {
        /// The key's name.
        key: String,
    },
    /// BADTIME.
    #[error("finds our clock wrong, {} s {} its own: set both clocks by NTP",
        .seconds.unsigned_abs(), if *.seconds < 0 { "behind" } else { "ahead of" })]
    BadTime {
        /// By how much our clock is ahead of the server's; 0 if it does not say.
        seconds: i64,
    },
    /// NOTAUTH: it is not the zone's primary server.
    #[error("does not have the zone {zone}: name the primary server of the zone, or another zone")]
    NotAuthoritative {
        /// The zone.
        zone: String,
    },
    /// No authoritative answer says in which zone a record would be.
    #[error("has no zone for {name}: name the primary server of the zone")]
    NoZone {
        /// The record.
        name: String,
    },
    /// The configured zone is not the record's.
    #[error(
        "is to change {name}, which is not in the zone {zone}: leave the zone away, or correct it"
    )]
    OutOfZone {
        /// The record.
        name: String,
        /// The zone.
        zone: String,
    },
    /// REFUSED.
    #[error(
        "does not let the key {key} change {zone}: \
        grant it TXT records there (BIND: update-policy, Knot: an acl with action update)"
    )]
    Refused {
        /// The key's name.
        key: String,
        /// The zone.
        zone: String,
    },
    /// SERVFAIL.
    #[error("fails to change {zone}: can it write the zone's file and journal? its log says more")]
    Failed {
        /// The zone.
        zone: String,
    },
    /// NOTIMP.
    #[error("does not do dynamic updates")]
    NotImplemented,
    /// Another code.
    #[error("answers with the code {code} for the zone {zone}")]
    Code {
        /// RFC 1035 § 4.1.1 and RFC 2136 § 2.2.
        code: u16,
        /// The zone.
        zone: String,
    },
    /// The answer is not signed, or by another: somebody may have forged it.
    #[error("does not sign its answer: is there another server in between?")]
    Unsigned,
    /// The answer is no DNS message, or one to another question.
    #[error("answers with what is no DNS message")]
    Garbled,
    /// The record's or the zone's name is no domain name.
    #[error("cannot be asked for what is no domain name: {name}")]
    NoName {
        /// The name.
        name: String,
    },
}

impl UpdateProblem {
    /// RFC 2136 § 2.2.
    fn of(code: u16, key: &TsigKey, zone: &Name) -> Self {
        let zone = zone.to_string();
        match code {
            2 => Self::Failed { zone },
            4 => Self::NotImplemented,
            5 => Self::Refused { key: key.name().to_string(), zone },
            9 => Self::NotAuthoritative { zone },
            _ => Self::Code { code, zone },
        }
    }

    /// RFC 8945 § 3.
    fn of_signature(answer: &Answer, key: &TsigKey, now: u64) -> Option<Self> {
        let (name, algorithm) = (key.name().to_string(), key.algorithm());
        Some(match answer.signature_error() {
            16 => Self::BadSignature { key: name },
            17 => Self::BadKey { key: name, algorithm },
            18 => {
                let theirs = answer.server_time().unwrap_or(now);
                let seconds = i64::try_from(now.abs_diff(theirs)).unwrap_or(i64::MAX);
                Self::BadTime { seconds: if now < theirs { -seconds } else { seconds } }
            }
            _ => return None,
        })
    }
}

/// Any number: over TCP and with a signature nobody gains by guessing it.
fn id() -> u16 {
    let [first, second, ..] = RandomState::new().build_hasher().finish().to_be_bytes();
    u16::from_be_bytes([first, second])
}

fn with_port(server: String) -> String {
    let has_port = match server.rsplit_once(':') {
        Some((host, port)) => {
            port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        }
        None => false,
    };
    if has_port {
        return server;
    }
    match server.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]:53"),
        Err(_) => format!("{server}:53"),
    }
}

/// One message each way, with its length before it (RFC 1035 § 4.2.2).
async fn ask(server: &str, message: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_53_unless_it_is_said() {
        for (given, expected) in [
            ("ns.example.org", "ns.example.org:53"),
            ("ns.example.org:5353", "ns.example.org:5353"),
            ("192.0.2.1", "192.0.2.1:53"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ] {
            assert_eq!(with_port(given.to_owned()), expected);
        }
    }

    #[test]
    fn a_clock_is_ahead_or_behind() {
        let said = |seconds| UpdateProblem::BadTime { seconds }.to_string();
        assert!(said(-400).contains("400 s behind its own"), "{}", said(-400));
        assert!(said(400).contains("400 s ahead of its own"));
    }
}
