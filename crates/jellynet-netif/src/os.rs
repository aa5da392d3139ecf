//! Reads this host's interfaces.

use std::io;

use crate::interface::InterfaceTable;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
use self::linux as imp;
#[cfg(not(target_os = "linux"))]
use self::portable as imp;

/// Reads the interfaces of the calling thread's network namespace, as they are now.
///
/// On Linux the kernel is asked over netlink, which also tells of interfaces without an address,
/// of addresses that are still tentative and of what kind a software interface is:
///
/// | flag | Linux |
/// | --- | --- |
/// | `up` | `IFF_UP` and `IFF_RUNNING`: switched on, and the link is there (RFC 2863) |
/// | `loopback`, `multicast`, `point_to_point` | the flag of this name |
/// | `virtual` | the kernel names a kind (`veth`, `bridge`, `tun`, `wireguard`, …) other than `vlan`, `bond`, `team`, `dsa`, `hsr`, `ipoib`, `wwan` and `rmnet`, which are hardware in another form; a bridge with a network card in it is not virtual either |
/// | `tentative` | `IFA_F_TENTATIVE` without `IFA_F_OPTIMISTIC`; a duplicate stays tentative for ever |
/// | `temporary` | `IFA_F_DEPRECATED`, or `IFA_F_TEMPORARY` on IPv6 |
///
/// Elsewhere `getifaddrs` is asked: interfaces without an address are not seen, nothing is
/// tentative or temporary, and `virtual` goes by the name.
///
/// # Errors
///
/// The kernel's, when it refuses to tell: a sandbox that forbids netlink sockets, or no
/// descriptors left.
///
/// # Examples
///
/// ```
/// for interface in &jellynet_netif::interfaces()? {
///     println!("{} {:?}", interface.name, interface.flags);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn interfaces() -> io::Result<InterfaceTable> {
    imp::interfaces()
}
