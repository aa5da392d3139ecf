//! What changed between two readings of the interfaces.

use crate::interface::{Interface, InterfaceAddr, InterfaceTable};

/// One difference between two tables.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// An interface came.
    InterfaceNew {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
    },
    /// An interface went, with all its addresses.
    InterfaceGone {
        /// Its name.
        name: String,
        /// The index it had.
        index: u32,
    },
    /// An interface went up or down, or changed another flag.
    FlagsChanged {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// Whether packets can pass now.
        up: bool,
    },
    /// An address came; a tentative one cannot be bound yet.
    AddressNew {
        /// The interface's name.
        name: String,
        /// The interface's index.
        index: u32,
        /// The address.
        address: InterfaceAddr,
    },
    /// An address left its tentative state and can be bound.
    AddressReady {
        /// The interface's name.
        name: String,
        /// The interface's index.
        index: u32,
        /// The address.
        address: InterfaceAddr,
    },
    /// An address went.
    AddressGone {
        /// The interface's name.
        name: String,
        /// The interface's index.
        index: u32,
        /// The address it was.
        address: InterfaceAddr,
    },
}

impl Change {
    fn new(on: &Interface, address: &InterfaceAddr) -> Self {
        Self::AddressNew { name: on.name.clone(), index: on.index, address: *address }
    }

    fn ready(on: &Interface, address: &InterfaceAddr) -> Self {
        Self::AddressReady { name: on.name.clone(), index: on.index, address: *address }
    }

    fn gone(on: &Interface, address: &InterfaceAddr) -> Self {
        Self::AddressGone { name: on.name.clone(), index: on.index, address: *address }
    }
}

impl InterfaceTable {
    /// What changed from `self` to `new`, removals before additions.
    ///
    /// An interface that has kept its name but not its index was taken away and made anew. An
    /// address that left its tentative state is reported as [`Change::AddressReady`].
    #[must_use]
    pub fn diff(&self, new: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for old in self {
            let Some(now) = new.same(old) else {
                changes.extend(old.addresses.iter().map(|a| Change::gone(old, a)));
                changes.push(Change::InterfaceGone { name: old.name.clone(), index: old.index });
                continue;
            };
            let gone =
                old.addresses.iter().filter(|a| !now.addresses.iter().any(|b| b.net == a.net));
            changes.extend(gone.map(|a| Change::gone(old, a)));
        }
        for now in new {
            let old = self.same(now);
            match old {
                None => {
                    changes.push(Change::InterfaceNew { name: now.name.clone(), index: now.index });
                }
                Some(old) if old.flags != now.flags => changes.push(Change::FlagsChanged {
                    name: now.name.clone(),
                    index: now.index,
                    up: now.flags.up,
                }),
                Some(_) => {}
            }
            for address in &now.addresses {
                let before = old.and_then(|o| o.addresses.iter().find(|a| a.net == address.net));
                match before {
                    None => changes.push(Change::new(now, address)),
                    Some(before) if before.tentative && !address.tentative => {
                        changes.push(Change::ready(now, address));
                    }
                    Some(_) => {}
                }
            }
        }
        changes
    }

    fn same(&self, other: &Interface) -> Option<&Interface> {
        self.by_index(other.index).filter(|i| i.name == other.name)
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn two_lans() -> InterfaceTable {
        InterfaceTable::new([
            Interface::new("eth1", 3).with_address(net("10.77.2.1/24")),
            Interface::loopback(1),
            Interface::new("eth0", 2)
                .with_address(net("fe80::1/64"))
                .with_address(net("10.77.1.1/24"))
                .with_address(net("10.77.1.9/16"))
                .with_address(net("fd77:1::1/64")),
        ])
    }

    #[test]
    fn a_diff_names_what_came_and_went() {
        let old = two_lans();
        let mut eth0 = Interface::new("eth0", 2).with_address(net("10.77.1.1/24"));
        eth0.addresses.push(InterfaceAddr::new(net("fd77:1::5/64")).with_tentative(true));
        let new = InterfaceTable::new([Interface::loopback(1), eth0.clone()]);
        let changes = old.diff(&new);
        let gone = changes.iter().filter(|c| matches!(c, Change::AddressGone { .. })).count();
        assert_eq!(gone, 4, "{changes:?}");
        assert!(changes.contains(&Change::InterfaceGone { name: "eth1".into(), index: 3 }));
        assert!(
            changes
                .iter()
                .any(|c| matches!(c, Change::AddressNew { address, .. } if address.tentative))
        );

        for address in &mut eth0.addresses {
            address.tentative = false;
        }
        let settled = InterfaceTable::new([Interface::loopback(1), eth0]);
        assert!(matches!(new.diff(&settled).as_slice(), [Change::AddressReady { .. }]));
        assert!(settled.diff(&settled).is_empty());
    }

    #[test]
    fn the_same_name_with_another_index_is_another_interface() {
        let old = InterfaceTable::new([Interface::new("eth0", 2)]);
        let new = InterfaceTable::new([Interface::new("eth0", 7)]);
        assert_eq!(
            old.diff(&new),
            [
                Change::InterfaceGone { name: "eth0".into(), index: 2 },
                Change::InterfaceNew { name: "eth0".into(), index: 7 },
            ]
        );
    }
}
