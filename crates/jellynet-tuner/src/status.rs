//! What a tuner says about its signal, its channel and its output, as text.

use std::fmt;

/// The value of `/tunerN/status`.
///
/// ```text
/// ch=8vsb:183000000 lock=8vsb ss=83 snq=90 seq=100 bps=19394080 pps=1842
/// ```
///
/// Parsing never fails: what is missing or unreadable is zero or empty, because firmware adds
/// and drops fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TunerStatus {
    /// The channel asked for; `none` when idle.
    pub channel: String,
    /// What it locked on; `none` without a signal, in brackets when the modulation is not
    /// supported.
    pub lock: String,
    /// Signal strength in percent.
    pub signal_strength: u32,
    /// Signal to noise quality in percent.
    pub signal_quality: u32,
    /// Symbol quality in percent: below 100 there are errors that no cable repairs.
    pub symbol_quality: u32,
    /// Bits per second from the demodulator.
    pub bits_per_second: u64,
    /// Datagrams per second to the network.
    pub packets_per_second: u64,
}

impl TunerStatus {
    /// Reads the value.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut status = Self::default();
        for (key, value) in fields(text) {
            let number = || value.parse().unwrap_or_default();
            match key {
                "ch" => status.channel = value.to_owned(),
                "lock" => status.lock = value.to_owned(),
                "ss" => status.signal_strength = value.parse().unwrap_or_default(),
                "snq" => status.signal_quality = value.parse().unwrap_or_default(),
                "seq" => status.symbol_quality = value.parse().unwrap_or_default(),
                "bps" => status.bits_per_second = number(),
                "pps" => status.packets_per_second = number(),
                _ => {}
            }
        }
        status
    }

    /// Whether there is a signal at all: the vendor's threshold of 35 %.
    #[must_use]
    pub const fn has_signal(&self) -> bool {
        self.signal_strength >= 35
    }

    /// Whether the demodulator holds the signal.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        !matches!(self.lock.as_str(), "" | "none") && !self.lock.starts_with('(')
    }

    /// Whether nothing is tuned.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.channel.as_str(), "" | "none")
    }
}

impl TunerStatus {
    /// Channel, modulation, signal and rate on one line, for people; `idle` when nothing is tuned.
    #[must_use]
    pub fn summary(&self) -> String {
        if self.is_idle() {
            return "idle".to_owned();
        }
        format!(
            "{} {}, signal {} %, quality {} %, symbols {} %, {:.1} Mbit/s",
            self.channel,
            self.lock,
            self.signal_strength,
            self.signal_quality,
            self.symbol_quality,
            self.bits_per_second as f64 / 1e6,
        )
    }
}

impl fmt::Display for TunerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "signal {} %, quality {} %, symbols {} %, lock {}",
            self.signal_strength,
            self.signal_quality,
            self.symbol_quality,
            if self.lock.is_empty() { "none" } else { &self.lock },
        )
    }
}

/// Why a device stopped sending, from the `net:` line of `/tunerN/debug`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// It did not stop.
    NotStopped,
    /// It was told to.
    Intentional,
    /// A host answered that the port is closed (ICMP).
    Rejected,
    /// The receiver went away.
    ConnectionLost,
    /// An HTTP client closed.
    HttpClosed,
    /// Another reason.
    Other(u32),
}

impl StopReason {
    /// Reads the reason out of the whole value of `/tunerN/debug`.
    #[must_use]
    pub fn parse(debug: &str) -> Option<Self> {
        let net = debug.lines().find_map(|line| line.trim().strip_prefix("net:"))?;
        let (_, stop) = fields(net).find(|(key, _)| *key == "stop")?;
        Some(match stop.parse().ok()? {
            0 => Self::NotStopped,
            1 => Self::Intentional,
            2 => Self::Rejected,
            3 => Self::ConnectionLost,
            4 => Self::HttpClosed,
            other => Self::Other(other),
        })
    }
}

/// One programme of a mux, from `/tunerN/streaminfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Program {
    /// Its number in the transport stream, for `/tunerN/program`.
    pub number: u16,
    /// The channel number that viewers know, such as `5.1`; empty when unknown.
    pub channel: String,
    /// Its name.
    pub name: String,
    /// Whether it cannot be watched: `encrypted`, `control`, `no data`.
    pub flag: Option<String>,
}

impl Program {
    /// Reads every programme of the value; other lines (`tsid=…`) are passed over.
    #[must_use]
    pub fn parse_all(streaminfo: &str) -> Vec<Self> {
        streaminfo.lines().filter_map(Self::parse).collect()
    }

    fn parse(line: &str) -> Option<Self> {
        let (number, rest) = line.split_once(':')?;
        let number = number.trim().parse().ok()?;
        let rest = rest.trim();
        let (rest, flag) = match rest.rsplit_once(" (") {
            Some((before, flag)) if flag.ends_with(')') => {
                (before, Some(flag.trim_end_matches(')').to_owned()))
            }
            _ => (rest, None),
        };
        let (channel, name) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(Self {
            number,
            channel: if channel == "0" { String::new() } else { channel.to_owned() },
            name: name.to_owned(),
            flag,
        })
    }
}

fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_ascii_whitespace().filter_map(|field| field.split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_field_by_field_and_survives_anything() {
        let text = "ch=8vsb:183000000 lock=8vsb ss=83 snq=90 seq=100 bps=19394080 pps=1842 new=1";
        let status = TunerStatus::parse(text);
        assert_eq!((status.signal_strength, status.packets_per_second), (83, 1842));
        assert!(status.is_locked() && status.has_signal() && !status.is_idle());
        assert_eq!(
            TunerStatus::parse("").to_string(),
            "signal 0 %, quality 0 %, symbols 0 %, lock none"
        );
        assert!(!TunerStatus::parse("ch=auto:9 lock=(qam64) ss=x").is_locked());
        assert!(TunerStatus::parse("ch=none lock=none").is_idle());
    }

    #[test]
    fn the_stop_reason_is_found_among_other_lines() {
        let debug = "tun: ch=none lock=none\ndev: resync=0\nnet: pps=0 err=0 stop=2\n";
        assert_eq!(StopReason::parse(debug), Some(StopReason::Rejected));
        assert_eq!(StopReason::parse("net: pps=0"), None);
        assert_eq!(StopReason::parse("net: stop=9"), Some(StopReason::Other(9)));
    }

    #[test]
    fn programmes_have_a_number_a_channel_a_name_and_perhaps_a_flag() {
        let text = "3: 5.1 KPIX-HD\n4: 5.2 KPIX 2 (encrypted)\n5: 0 (no data)\ntsid=0x0123\n";
        let programs = Program::parse_all(text);
        let seen: Vec<_> = programs
            .iter()
            .map(|p| (p.number, p.channel.as_str(), p.name.as_str(), p.flag.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [
                (3, "5.1", "KPIX-HD", None),
                (4, "5.2", "KPIX 2", Some("encrypted")),
                (5, "", "", Some("no data")),
            ]
        );
    }
}
