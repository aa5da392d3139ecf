//! A tuner's variables: reading, permission, setting.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use tokio::time::Instant;

use super::config::SimConfig;
use super::tuner::{Lock, Target, Tuner};

type Answer = Result<String, String>;

/// Whether the asker may set the variable.
pub(super) fn permit(
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

pub(super) fn get(config: &SimConfig, tuner: &Tuner, variable: &str) -> Answer {
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
            let owner = config.faults.locked_by.or_else(|| tuner.lock.map(|lock| lock.owner));
            owner.map_or_else(|| "none".into(), |owner| owner.to_string())
        }
        "status" => status(config, tuner),
        "vstatus" => format!("vch={} name= auth=unspecified cci=none", tuner.virtual_channel),
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

pub(super) fn set(
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
                || value.split_once(':').is_some_and(|(_, n)| n.parse::<u32>().is_ok());
            if !valid {
                return Err("invalid channel".into());
            }
            tuner.channel = value;
            tuner.virtual_channel = "none".into();
            tuner.program = "none".into();
        }
        "vchannel" => {
            let known = config.channels.iter().find(|c| c.programs.iter().any(|p| p.1 == value));
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
    let mut to: SocketAddr = address.parse().map_err(|_| "invalid target")?;
    if let SocketAddr::V6(to) = &mut to
        && to.ip().is_unicast_link_local()
    {
        // The receiver cannot know what this device calls the link.
        let table = jellynet_netif::interfaces().map_err(|error| error.to_string())?;
        to.set_scope_id(table.holding(local).map_or(0, |interface| interface.index));
    }
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
