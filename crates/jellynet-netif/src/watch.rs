//! Follows this host's interfaces.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;

use crate::change::Change;
use crate::interface::InterfaceTable;

#[cfg(target_os = "linux")]
mod kernel;
mod task;

/// This host's interfaces as they are now, and as they become.
///
/// Cheap to clone; each clone has its own mark of what it has seen. On Linux the kernel's own
/// events are followed (netlink, gathered until 100 ms of quiet and for 500 ms at most), so that an
/// address that comes, goes or leaves its tentative state is known well under a second later. Where
/// there are no events, the interfaces are read every two seconds.
///
/// # Examples
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use jellynet_netif::Interfaces;
///
/// let mut interfaces = Interfaces::watch()?;
/// println!("{} interfaces now", interfaces.current().iter().count());
/// while let Some(update) = interfaces.changed().await {
///     println!("{:?}", update.changes);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Interfaces {
    receiver: watch::Receiver<Arc<InterfaceTable>>,
    seen: Arc<InterfaceTable>,
}

/// A new state of the interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterfacesUpdate {
    /// The interfaces as they are now.
    pub table: Arc<InterfaceTable>,
    /// What changed since this receiver last looked. Empty when that is a detail of which no
    /// [`Change`] tells, such as an address that became temporary.
    pub changes: Vec<Change>,
}

impl Interfaces {
    /// Reads this host's interfaces and follows them in a task of their own, which ends when the
    /// last clone is dropped.
    ///
    /// # Errors
    ///
    /// When the interfaces cannot be read even once, see [`interfaces`](crate::interfaces).
    /// Whatever fails later is logged and tried again.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn watch() -> io::Result<Self> {
        let (task, receiver) = task::Watcher::new()?;
        tokio::spawn(task.run());
        Ok(Self::of(receiver))
    }

    /// Interfaces that never change.
    #[must_use]
    pub fn fixed(table: InterfaceTable) -> Self {
        Self::channel(table).1
    }

    /// Interfaces that change when the sender says so: for tests, and for hosts that learn of
    /// their interfaces elsewhere.
    #[must_use]
    pub fn channel(table: InterfaceTable) -> (InterfacesSender, Self) {
        let (sender, receiver) = watch::channel(Arc::new(table));
        (InterfacesSender { sender }, Self::of(receiver))
    }

    fn of(receiver: watch::Receiver<Arc<InterfaceTable>>) -> Self {
        let seen = Arc::clone(&receiver.borrow());
        Self { receiver, seen }
    }

    /// The interfaces as they are now.
    #[must_use]
    pub fn current(&self) -> Arc<InterfaceTable> {
        Arc::clone(&self.receiver.borrow())
    }

    /// Waits until the interfaces differ from what this receiver has seen: the table it was born
    /// with, then the one it got here last. `None` when they will never change again.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: the next call compares with the same table.
    pub async fn changed(&mut self) -> Option<InterfacesUpdate> {
        loop {
            let table = self.current();
            // Asked in every round of a driver's loop, so the usual answer is quick.
            if !Arc::ptr_eq(&self.seen, &table) {
                let before = std::mem::replace(&mut self.seen, Arc::clone(&table));
                if before != table {
                    let changes = before.diff(&table);
                    return Some(InterfacesUpdate { table, changes });
                }
            }
            self.receiver.changed().await.ok()?;
        }
    }
}

/// Sets what [`Interfaces`] from [`Interfaces::channel`] show.
#[derive(Debug)]
pub struct InterfacesSender {
    sender: watch::Sender<Arc<InterfaceTable>>,
}

impl InterfacesSender {
    /// Replaces the table; whoever waits learns of it if anything differs.
    pub fn set(&self, table: InterfaceTable) {
        self.sender.send_replace(Arc::new(table));
    }
}

#[cfg(test)]
mod tests {
    use crate::interface::{Interface, InterfaceAddr};

    use super::*;

    fn table(addresses: &[&str]) -> InterfaceTable {
        let eth0 = addresses
            .iter()
            .fold(Interface::new("eth0", 2), |i, a| i.with_address(a.parse().unwrap()));
        InterfaceTable::new([eth0])
    }

    #[tokio::test]
    async fn each_receiver_learns_what_it_has_not_seen() {
        let (sender, mut first) = Interfaces::channel(table(&["10.0.0.1/24"]));
        sender.set(table(&["10.0.0.1/24", "10.0.0.2/24"]));
        let mut second = first.clone();
        assert_eq!(first.changed().await.unwrap().changes.len(), 1);
        sender.set(table(&["10.0.0.3/24"]));
        assert_eq!(first.changed().await.unwrap().changes.len(), 3);
        let update = second.changed().await.unwrap();
        assert_eq!(update.changes.len(), 2, "{update:?}");
        assert_eq!(update.table, first.current());
    }

    #[tokio::test]
    async fn a_detail_without_a_name_is_told_too() {
        let (sender, mut interfaces) = Interfaces::channel(table(&["10.0.0.1/24"]));
        let mut temporary = Interface::new("eth0", 2);
        let address = InterfaceAddr::new("10.0.0.1/24".parse().unwrap());
        temporary.addresses.push(address.with_temporary(true));
        sender.set(InterfaceTable::new([temporary]));
        assert!(interfaces.changed().await.unwrap().changes.is_empty());
    }

    #[tokio::test]
    async fn the_same_again_is_no_change() {
        let (sender, mut interfaces) = Interfaces::channel(table(&["10.0.0.1/24"]));
        sender.set(table(&["10.0.0.1/24"]));
        drop(sender);
        assert_eq!(interfaces.changed().await, None);
        let mut fixed = Interfaces::fixed(table(&[]));
        assert_eq!(fixed.changed().await, None);
    }
}
