//! Why a listener's text cannot be read, and what to write instead.

use std::fmt;

/// Why one listener's text cannot be read.
///
/// The message names the text, the reason and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseListenError {
    /// Nothing is written.
    #[error("the listener is empty: write an address and a port, such as `*:8096`")]
    Empty,
    /// An address or interface without a port.
    #[error("`{value}` has no port: write `{remedy}`")]
    NoPort {
        /// The text.
        value: String,
        /// A text that can be read.
        remedy: String,
    },
    /// A port without an address.
    #[error("`{value}` names no address, only a port: write `*:{value}`")]
    OnlyPort {
        /// The text.
        value: String,
    },
    /// The port is no number from 0 to 65535.
    #[error("`{value}` has a bad port `{port}`: a port is a number from 0 to 65535")]
    BadPort {
        /// The text.
        value: String,
        /// The port in it.
        port: String,
    },
    /// An IPv6 address without brackets.
    #[error("`{value}` has an IPv6 address without brackets: write `{remedy}`")]
    NoBrackets {
        /// The text.
        value: String,
        /// A text that can be read.
        remedy: String,
    },
    /// A bracket without its partner, or something else than an IPv6 address inside.
    #[error("`{value}` has no IPv6 address in its brackets: write it as in `[fd00::5]:8096`")]
    BadBrackets {
        /// The text.
        value: String,
    },
    /// Digits and dots that are no IPv4 address.
    #[error(
        "`{value}` has no IPv4 address: write four numbers from 0 to 255, as in `192.168.1.10:8096`"
    )]
    BadIpv4 {
        /// The text.
        value: String,
    },
    /// An address that no listener can have.
    #[error("`{value}` cannot be listened on, because it is a {what} address: write `{remedy}`")]
    NotListenable {
        /// The text.
        value: String,
        /// What kind of address it is.
        what: &'static str,
        /// A text that can be read.
        remedy: String,
    },
    /// A link-local IPv6 address without its interface.
    #[error("`{value}` is valid on one link only and must name its interface: write `{remedy}`")]
    NoZone {
        /// The text.
        value: String,
        /// The same with an example interface.
        remedy: String,
    },
    /// An interface after an address that is not link-local.
    #[error("`{value}` names an interface for an address that needs none: write `{remedy}`")]
    NeedlessZone {
        /// The text.
        value: String,
        /// The same without the interface.
        remedy: String,
    },
    /// Neither an address nor the name of an interface.
    #[error(
        "`{value}` has neither an address nor an interface name (up to 15 characters), and host names are not resolved: write an address, or `*:{port}` for all"
    )]
    NotAnInterface {
        /// The text.
        value: String,
        /// The port in it.
        port: u16,
    },
    /// A URL.
    #[error("`{value}` is a URL: write only the address and port, as in `{remedy}`")]
    Url {
        /// The text.
        value: String,
        /// A text that can be read.
        remedy: String,
    },
    /// A path without `unix:` before it.
    #[error("`{value}` is a path: write `unix:{value}`")]
    BarePath {
        /// The text.
        value: String,
    },
    /// A Unix socket without an absolute path or `@name`.
    #[error(
        "`{value}` has no absolute path: write `unix:/run/NAME.sock`, or `unix:@NAME` for an abstract one"
    )]
    NoPath {
        /// The text.
        value: String,
    },
    /// A Unix socket's path is too long for the system.
    #[error(
        "`{value}` has a path of {length} bytes, and the system allows {max}: choose a shorter one"
    )]
    LongPath {
        /// The text.
        value: String,
        /// How long the path is.
        length: usize,
        /// The longest allowed.
        max: usize,
    },
    /// A Unix socket's mode is not octal, or gives more than reading and writing needs.
    #[error(
        "`{value}` has a bad mode `{mode}`: write it in octal from 0000 to 0777, as in `mode=0660`"
    )]
    BadMode {
        /// The text.
        value: String,
        /// The mode in it.
        mode: String,
    },
    /// A setting that a Unix socket has not.
    #[error("`{value}` has the unknown setting `{key}`: `mode`, `user` and `group` are known")]
    UnknownSetting {
        /// The text.
        value: String,
        /// The setting.
        key: String,
    },
    /// An abstract Unix socket has neither mode nor owner.
    #[error(
        "`{value}` is abstract and can have neither mode nor owner: write a path, or leave them out"
    )]
    AbstractSetting {
        /// The text.
        value: String,
    },
    /// A setting that stands twice, or without a value.
    #[error(
        "`{value}` has the setting `{key}` twice or without a value: write it once, as `{key}=…`"
    )]
    BadSetting {
        /// The text.
        value: String,
        /// The setting.
        key: String,
    },
    /// The name of a passed socket has characters that systemd refuses.
    #[error(
        "`{value}` has no usable socket name: write the `FileDescriptorName=` of the socket unit, as in `systemd:http`"
    )]
    BadSocketName {
        /// The text.
        value: String,
    },
    /// No descriptor number, or one of the three standard streams.
    #[error("`{value}` has no usable file descriptor: write a number from 3 on, as in `fd:3`")]
    BadFd {
        /// The text.
        value: String,
    },
}

/// All bad entries of a list of listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseListenListError {
    /// Each bad entry's index in the list, from 0, and what is wrong with it; never empty.
    pub entries: Vec<(usize, ParseListenError)>,
    /// How many entries the list has.
    pub total: usize,
}

impl fmt::Display for ParseListenListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, total } = self;
        write!(f, "{} of {total} listeners cannot be read", entries.len())?;
        for (n, (index, error)) in entries.iter().enumerate() {
            let separator = if n == 0 { ':' } else { ';' };
            write!(f, "{separator} [{index}] {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseListenListError {}
