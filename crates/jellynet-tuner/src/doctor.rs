//! Why a stream does not arrive although the tuner sends it, and what to do about it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// A tuner sends, and nothing arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocked {
    /// The tuner.
    pub device: IpAddr,
    /// Where it was told to send.
    pub target: SocketAddr,
    /// Where this host listens.
    pub local: SocketAddr,
    /// The interface that has the local address.
    pub interface: Option<String>,
    /// The ports that streams may use.
    pub ports: RangeInclusive<u16>,
    /// What the tuner says it sends.
    pub packets_per_second: u64,
    /// Whether a host answered the tuner that the port is closed: the stream reached a machine,
    /// but not this program.
    pub rejected: bool,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// Where it applies.
    pub when: &'static str,
    /// What to run, or to set.
    pub command: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.when, self.command)
    }
}

/// What to do when no device answers: a broadcast's answer is no answer to a stateful firewall,
/// because it comes from another address than the question went to.
#[cfg(feature = "udp")]
pub(crate) fn discovery_advice() -> Vec<Advice> {
    let one = |when, command: &str| Advice { when, command: command.to_owned() };
    vec![
        one("nftables", "nft insert rule inet filter input udp sport 65001 accept"),
        one("ufw", "ufw allow proto udp from any port 65001"),
        one("another network or a container", "name the device by its address"),
        one("at the device", "power and cable"),
    ]
}

impl Blocked {
    /// What to do, the likeliest first.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        if self.rejected {
            let mut advice = self.address_translation();
            advice.extend(self.firewall());
            advice
        } else {
            let mut advice = self.firewall();
            advice.extend(self.address_translation());
            advice
        }
    }

    fn firewall(&self) -> Vec<Advice> {
        let device = self.device;
        let family = if device.is_ipv4() { "ip" } else { "ip6" };
        let version = if device.is_ipv4() { "ipv4" } else { "ipv6" };
        let (first, last) = (self.ports.start(), self.ports.end());
        let interface = match &self.interface {
            Some(name) => format!("iifname \"{name}\" "),
            None => String::new(),
        };
        vec![
            Advice {
                when: "nftables",
                command: format!(
                    "nft insert rule inet filter input {interface}{family} saddr {device} udp \
                     dport {first}-{last} accept"
                ),
            },
            Advice {
                when: "ufw",
                command: format!("ufw allow proto udp from {device} to any port {first}:{last}"),
            },
            Advice {
                when: "firewalld",
                command: format!(
                    "firewall-cmd --permanent --add-rich-rule='rule family=\"{version}\" source \
                     address=\"{device}\" port port=\"{first}-{last}\" protocol=\"udp\" accept'"
                ),
            },
        ]
    }

    fn address_translation(&self) -> Vec<Advice> {
        let (first, last) = (self.ports.start(), self.ports.end());
        let advertise = Advice {
            when: "behind address translation or in a container",
            command: format!(
                "advertise the address of the host that the tuner can reach, not {}",
                self.target.ip()
            ),
        };
        let publish = Advice {
            when: "in a container",
            command: if last - first < 1000 {
                format!("docker run --publish {first}-{last}:{first}-{last}/udp …")
            } else {
                "lease from a small range such as 61000-61015, then: docker run --publish \
                 61000-61015:61000-61015/udp …"
                    .to_owned()
            },
        };
        vec![advertise, publish]
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (device, target) = (self.device, self.target);
        if self.rejected {
            return write!(
                f,
                "the tuner at {device} sent to {target}, where a host answered that the port is closed"
            );
        }
        let rate = self.packets_per_second;
        write!(
            f,
            "the tuner at {device} sends {rate} packets a second to {target}, but none arrives"
        )?;
        match &self.interface {
            Some(interface) => write!(f, " by {interface}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(rejected: bool, ports: RangeInclusive<u16>) -> Blocked {
        Blocked {
            device: "10.99.0.2".parse().unwrap(),
            target: "10.99.0.1:61003".parse().unwrap(),
            local: "10.99.0.1:61003".parse().unwrap(),
            interface: Some("eth0".into()),
            ports,
            packets_per_second: 1842,
            rejected,
        }
    }

    #[test]
    fn a_silent_drop_points_at_the_firewall_first() {
        let blocked = blocked(false, 61000..=61015);
        assert_eq!(
            blocked.to_string(),
            "the tuner at 10.99.0.2 sends 1842 packets a second to 10.99.0.1:61003, but none \
             arrives by eth0"
        );
        let advice = blocked.advice();
        assert_eq!(
            advice[0].command,
            "nft insert rule inet filter input iifname \"eth0\" ip saddr 10.99.0.2 udp dport \
             61000-61015 accept"
        );
        assert!(advice.iter().any(|a| a.command.contains("61000-61015:61000-61015/udp")));
    }

    #[test]
    fn a_closed_port_points_at_address_translation_first() {
        let advice = blocked(true, 49152..=65535).advice();
        assert!(advice[0].command.contains("advertise"));
        assert!(advice[1].command.contains("small range"));
    }
}
