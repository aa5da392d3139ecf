//! The device's variables, without I/O.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use tokio::time::Instant;

use super::config::SimConfig;
use super::tuner::{Lock, Target, Tuner};
use crate::wire::{
    DeviceAuth, DeviceType, DiscoverReply, DiscoverRequest, GetSetReply, GetSetRequest,
};

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
        Some(Sending {
            target: tuner.target?,
            generation: tuner.generation,
        })
    }

    pub(super) fn keepalive(&mut self, from: SocketAddr, now: Instant) {
        self.stats.keepalives += 1;
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
                get(config, tuner, variable)
            }
        }
    }
}

/// Whether the asker may set the variable.
fn permit(
    config: &SimConfig,
    tuner: &Tuner,
    variable: &str,
    value: &str,
    key: Option<u32>,
) -> Result<(), String> {
    if config.faults.busy {
        return Err("tuner busy".into());
    }
    if variable == "lockkey" && value == "force" {
        return Ok(());
    }
    match tuner.lock {
        Some(lock) if key != Some(lock.key) => Err(format!("resource locked by {}", lock.owner)),
        _ => Ok(()),
    }
}

fn get(config: &SimConfig, tuner: &Tuner, variable: &str) -> Answer {
    Ok(match variable {
        "channel" => tuner.channel.clone(),
        "vchannel" => tuner.virtual_channel.clone(),
        "channelmap" => tuner.map.clone(),
        "program" => tuner.program.clone(),
        "filter" => tuner.filter.clone(),
        "target" => match tuner.target {
            Some(Target { to, rtp: true, .. }) => format!("rtp://{to}"),
            Some(Target { to, .. }) => format!("udp://{to}"),
            None => "none".into(),
        },
        "lockkey" => {
            let owner = config
                .faults
                .locked_by
                .or_else(|| tuner.lock.map(|lock| lock.owner));
            owner.map_or_else(|| "none".into(), |owner| owner.to_string())
        }
        "status" => status(config, tuner),
        "vstatus" => format!(
            "vch={} name= auth=unspecified cci=none",
            tuner.virtual_channel
        ),
        "streaminfo" => streaminfo(config, tuner),
        "plpinfo" => "none".into(),
        "debug" => {
            let status = status(config, tuner);
            let (pps, stop) = (pps(config, tuner), tuner.stop_reason);
            format!(
                "tun: {status}\ndev: bps=0 resync=0 overflow=0\nts: bps=0 te=0 crc=0\nnet: pps={pps} err=0 stop={stop}\n"
            )
        }
        _ => return Err("unknown getset variable".into()),
    })
}

fn set(
    config: &SimConfig,
    tuner: &mut Tuner,
    variable: &str,
    value: &str,
    (asker, local): (IpAddr, IpAddr),
    now: Instant,
) -> Result<(), String> {
    let value = value.to_owned();
    match variable {
        "channel" => {
            let valid = value == "none"
                || value
                    .split_once(':')
                    .is_some_and(|(_, n)| n.parse::<u32>().is_ok());
            if !valid {
                return Err("invalid channel".into());
            }
            tuner.channel = value;
            tuner.virtual_channel = "none".into();
            tuner.program = "none".into();
        }
        "vchannel" => {
            let known = config
                .channels
                .iter()
                .find(|c| c.programs.iter().any(|p| p.1 == value));
            let channel = known.ok_or("unknown virtual channel")?;
            tuner.channel = format!("{}:{}", channel.modulation, channel.frequency);
            tuner.virtual_channel = value;
        }
        "channelmap" => tuner.map = value,
        "program" => tuner.program = value,
        "filter" => tuner.filter = value,
        "target" => tuner.aim(target(config, &value, local)?, now),
        "lockkey" => match value.as_str() {
            "none" | "force" => tuner.lock = None,
            key => {
                let key = key.parse().ok().filter(|key| *key != 0);
                let key = key.ok_or("invalid lockkey")?;
                tuner.lock = Some(Lock { key, owner: asker });
            }
        },
        _ => return Err("unknown getset variable".into()),
    }
    Ok(())
}

fn target(config: &SimConfig, value: &str, local: IpAddr) -> Result<Option<Target>, String> {
    if value == "none" {
        return Ok(None);
    }
    let (scheme, address) = value.split_once("://").ok_or("invalid target")?;
    // The vendor's client appends a path or options for some models.
    let address = address.split([' ', '/']).next().unwrap_or_default();
    let to = address.parse().map_err(|_| "invalid target")?;
    let rtp = match scheme {
        "rtp" if config.rtp => true,
        "udp" => false,
        _ => return Err("unsupported protocol".into()),
    };
    let from = local;
    Ok(Some(Target { to, rtp, from }))
}

fn pps(config: &SimConfig, tuner: &Tuner) -> u32 {
    if tuner.sending && tuner.signal(config).is_some() && !config.faults.no_data {
        config.packets_per_second
    } else {
        0
    }
}

fn status(config: &SimConfig, tuner: &Tuner) -> String {
    let channel = &tuner.channel;
    if channel == "none" {
        return "ch=none lock=none ss=0 snq=0 seq=0 bps=0 pps=0".into();
    }
    let faults = &config.faults;
    let pps = pps(config, tuner);
    match tuner.signal(config) {
        Some(_) if faults.no_lock => {
            format!("ch={channel} lock=(qam128) ss=80 snq=40 seq=0 bps=0 pps=0")
        }
        Some(signal) if !faults.no_signal => format!(
            "ch={channel} lock={} ss=83 snq=90 seq=100 bps=19394080 pps={pps}",
            signal.modulation
        ),
        _ => format!("ch={channel} lock=none ss=12 snq=0 seq=0 bps=0 pps=0"),
    }
}

fn streaminfo(config: &SimConfig, tuner: &Tuner) -> String {
    let Some(signal) = tuner.signal(config) else {
        return "none".into();
    };
    let mut text = String::new();
    for (number, channel, name) in &signal.programs {
        let _ = writeln!(text, "{number}: {channel} {name}");
    }
    text.push_str("tsid=0x0b5d\n");
    text
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
