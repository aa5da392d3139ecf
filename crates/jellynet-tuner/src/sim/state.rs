//! The device's variables, without I/O.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use tokio::time::Instant;

use super::config::SimConfig;
use super::tuner::{Lock, Target, Tuner};
use super::variables::{get, permit, set};
use crate::wire::{
    DeviceAuth, DeviceType, DiscoverReply, DiscoverRequest, GetSetReply, GetSetRequest,
};

/// How many keepalives are remembered.
const GREETINGS: usize = 64;

/// What the device did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimStats {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams lost on purpose.
    pub dropped: u64,
    /// Keepalives received.
    pub keepalives: u64,
    /// Control requests answered.
    pub requests: u64,
    /// Discovery requests answered.
    pub discoveries: u64,
}

/// How a tuner stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TunerView {
    /// Who holds its lock.
    pub locked_by: Option<IpAddr>,
    /// Its channel; `none` when idle.
    pub channel: String,
    /// Where it streams to.
    pub target: Option<SocketAddr>,
    /// Whether it sends.
    pub sending: bool,
    /// Whether a keepalive from the target came before the target was set, so that a firewall
    /// there lets the stream in.
    pub greeted: bool,
    /// Why it stopped, as in `/tunerN/debug`.
    pub stop_reason: u32,
}

impl TunerView {
    /// Whether nobody has it: no lock, no target, no channel.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.locked_by.is_none() && self.target.is_none() && self.channel == "none"
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) config: SimConfig,
    pub(super) tuners: Vec<Tuner>,
    pub(super) stats: SimStats,
    pub(super) stream_port: u16,
    pub(super) http: Option<SocketAddr>,
    started: Instant,
    /// Who sent keepalives lately.
    greetings: VecDeque<SocketAddr>,
}

/// What a stream task has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sending {
    pub(super) target: Target,
    pub(super) generation: u32,
}

type Answer = Result<String, String>;

impl State {
    pub(super) fn new(
        config: SimConfig,
        stream_port: u16,
        http: Option<SocketAddr>,
        now: Instant,
    ) -> Self {
        let tuners = (0..config.tuners).map(|_| Tuner::new(now)).collect();
        Self {
            config,
            tuners,
            stats: SimStats::default(),
            stream_port,
            http,
            started: now,
            greetings: VecDeque::new(),
        }
    }

    pub(super) fn view(&mut self, tuner: u8, now: Instant) -> Option<TunerView> {
        let tuner = self.tuners.get_mut(usize::from(tuner))?;
        tuner.expire(&self.config, now);
        Some(TunerView {
            locked_by: tuner.lock.map(|lock| lock.owner),
            channel: tuner.channel.clone(),
            target: tuner.target.map(|target| target.to),
            sending: tuner.sending,
            greeted: tuner.greeted,
            stop_reason: tuner.stop_reason,
        })
    }

    pub(super) fn steal(&mut self, tuner: u8, owner: IpAddr, now: Instant) {
        if let Some(tuner) = self.tuners.get_mut(usize::from(tuner)) {
            tuner.lock = Some(Lock { key: 1, owner });
            tuner.aim(None, now);
            tuner.active = now;
        }
    }

    pub(super) fn reboot(&mut self) {
        for tuner in &mut self.tuners {
            let generation = tuner.generation + 1;
            *tuner = Tuner::new(self.started);
            tuner.generation = generation;
        }
    }

    /// What the tuner has to send now.
    pub(super) fn sending(&mut self, tuner: u8, now: Instant) -> Option<Sending> {
        let config = &self.config;
        let tuner = self.tuners.get_mut(usize::from(tuner))?;
        tuner.expire(config, now);
        let mute = config.faults.silent || config.faults.no_data;
        let locked = !config.faults.no_signal && !config.faults.no_lock;
        if mute || !locked || !tuner.sending {
            return None;
        }
        tuner.signal(config)?;
        Some(Sending { target: tuner.target?, generation: tuner.generation })
    }

    pub(super) fn keepalive(&mut self, from: SocketAddr, now: Instant) {
        self.stats.keepalives += 1;
        if self.greetings.len() == GREETINGS {
            self.greetings.pop_front();
        }
        self.greetings.push_back(from);
        let receivers = self.tuners.iter_mut();
        for tuner in receivers.filter(|t| t.target.is_some_and(|target| target.to == from)) {
            tuner.keepalive = now;
        }
    }

    /// The reply to a discovery request by way of the address `local`; `None` when another
    /// device is meant.
    pub(super) fn discover(
        &self,
        request: &DiscoverRequest,
        local: IpAddr,
    ) -> Option<DiscoverReply> {
        if !request.matches(DeviceType::TUNER, self.config.id) {
            return None;
        }
        let mut reply = DiscoverReply::tuner(self.config.id);
        if !self.config.legacy {
            let port = self.http.map_or(80, |http| http.port());
            let base = format!("http://{}", SocketAddr::new(local, port));
            reply.tuner_count = Some(self.config.tuners);
            reply.lineup_url = Some(format!("{base}/lineup.json"));
            reply.base_url = Some(base);
            reply.auth = Some(DeviceAuth::new("c2ltdWxhdG9yc2VjcmV0c2lt"));
        }
        Some(reply)
    }

    /// Answers a control request from `asker` that came to the address `local`.
    pub(super) fn answer(
        &mut self,
        request: &GetSetRequest,
        asker: IpAddr,
        local: IpAddr,
        now: Instant,
    ) -> GetSetReply {
        self.stats.requests += 1;
        let answer = match request.name.strip_prefix("/tuner") {
            Some(rest) => self.tuner_variable(rest, request, asker, local, now),
            None => self.system(&request.name),
        };
        match answer {
            Ok(value) => GetSetReply::value(request.name.clone(), value),
            Err(text) => GetSetReply::error(request.name.clone(), format!("ERROR: {text}")),
        }
    }

    fn system(&self, name: &str) -> Answer {
        Ok(match name {
            "/sys/model" => "hdhomerun3_atsc".into(),
            "/sys/hwmodel" => self.config.model.clone(),
            "/sys/version" => "20250506".into(),
            "/sys/copyright" => "simulated by jellynet".into(),
            "/sys/debug" => "mem: ddr=128 nbk=1\n".into(),
            "/sys/features" => "channelmap: us-bcast us-cable us-hrc us-irc kr-bcast kr-cable\n\
                                modulation: 8vsb qam256 qam64\nauto-modulation: auto\n"
                .into(),
            "help" => HELP.into(),
            _ => return Err("unknown getset variable".into()),
        })
    }

    fn tuner_variable(
        &mut self,
        rest: &str,
        request: &GetSetRequest,
        asker: IpAddr,
        local: IpAddr,
        now: Instant,
    ) -> Answer {
        let unknown = || "unknown getset variable".to_owned();
        let (number, variable) = rest.split_once('/').ok_or_else(unknown)?;
        let number: usize = number.parse().map_err(|_| unknown())?;
        let config = &self.config;
        let tuner = self.tuners.get_mut(number).ok_or_else(unknown)?;
        tuner.expire(config, now);
        tuner.active = now;
        match &request.value {
            None => get(config, tuner, variable),
            Some(value) => {
                permit(config, tuner, variable, value, request.lock_key)?;
                set(config, tuner, variable, value, (asker, local), now)?;
                if variable == "target" {
                    let target = tuner.target.map(|target| target.to);
                    tuner.greeted = target.is_some_and(|to| self.greetings.contains(&to));
                }
                get(config, tuner, variable)
            }
        }
    }
}

const HELP: &str = "Supported configuration options:\n\
/lineup/location <countrycode>:<postcode>\n\
/sys/copyright\n\
/sys/debug\n\
/sys/features\n\
/sys/hwmodel\n\
/sys/model\n\
/sys/version\n\
/tuner<n>/channel <modulation>:<freq|ch>\n\
/tuner<n>/channelmap <channelmap>\n\
/tuner<n>/debug\n\
/tuner<n>/filter \"0x<nnnn>-0x<nnnn> [...]\"\n\
/tuner<n>/lockkey\n\
/tuner<n>/program <program number>\n\
/tuner<n>/streaminfo\n\
/tuner<n>/status\n\
/tuner<n>/target <ip>:<port>\n\
/tuner<n>/vchannel <vchannel>\n";
