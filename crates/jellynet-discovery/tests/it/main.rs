//! Both engines: under the laws, on a virtual network, and over real sockets.

#[cfg(test)]
#[cfg(feature = "id-file")]
mod id_file;
#[cfg(test)]
#[cfg(feature = "udp")]
mod lans;
#[cfg(test)]
mod laws;
#[cfg(test)]
#[cfg(feature = "udp")]
mod loopback;
#[cfg(test)]
mod network;
