//! `jellynet interfaces`: this host's interfaces as jellynet sees them.

use std::fmt::Write as _;

use jellynet_netif::{Interface, InterfaceTable};

use crate::cli::{Format, FormatArgs};
use crate::failure::Failure;
use crate::verbs::{own_interfaces, print};

pub(super) fn run(args: &FormatArgs) -> Result<(), Failure> {
    let table = own_interfaces()?;
    match args.format {
        Format::Text => print(&text(&table)),
        Format::Json => {
            let json = serde_json::to_string_pretty(&table)
                .map_err(|error| Failure::runtime("cannot write the interfaces as JSON", error))?;
            print(&(json + "\n"));
        }
    }
    Ok(())
}

fn text(table: &InterfaceTable) -> String {
    let mut out = String::new();
    for interface in table {
        let _ =
            writeln!(out, "{} (index {}): {}", interface.name, interface.index, flags(interface));
        for address in &interface.addresses {
            let notes = [(address.tentative, "tentative"), (address.temporary, "temporary")];
            let notes: Vec<_> = notes.iter().filter(|(on, _)| *on).map(|(_, note)| *note).collect();
            let notes =
                if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
            let _ = writeln!(out, "    {}{notes}", address.net);
        }
    }
    if out.is_empty() { "no network interface at all\n".to_owned() } else { out }
}

fn flags(interface: &Interface) -> String {
    let flags = &interface.flags;
    let named = [
        (flags.loopback, "loopback"),
        (flags.point_to_point, "point-to-point"),
        (flags.r#virtual, "virtual"),
        (flags.multicast, "multicast"),
    ];
    let mut words = vec![if flags.up { "up" } else { "down" }];
    words.extend(named.iter().filter(|(on, _)| *on).map(|(_, word)| *word));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_is_shown_with_what_matters() {
        let eth0 = Interface::new("eth0", 2).with_address("10.0.0.5/24".parse().unwrap());
        let shown = text(&InterfaceTable::new([Interface::loopback(1), eth0]));
        assert_eq!(
            shown,
            "lo (index 1): up, loopback\n    127.0.0.1/8\n    ::1/128\n\
             eth0 (index 2): up, multicast\n    10.0.0.5/24\n"
        );
    }
}
