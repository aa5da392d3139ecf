//! Unix sockets: path or abstract name, mode, owner.

use std::fmt;
use std::path::PathBuf;

use super::error::ParseListenError;

/// `sun_path` holds 108 bytes with the final zero (unix(7)).
const LONGEST_PATH: usize = 107;

/// A Unix stream socket to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UnixListen {
    /// Where it is.
    pub name: UnixName,
    /// Permission bits, set before the name appears. Default: 0600, the owner alone.
    pub mode: u32,
    /// Who owns the file; the process's own user without it.
    pub user: Option<Account>,
    /// Which group the file belongs to; the process's own without it.
    pub group: Option<Account>,
}

/// Where a Unix socket is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnixName {
    /// A file with an absolute path.
    Path(PathBuf),
    /// A name in Linux's abstract namespace: no file, no permissions, gone with its process.
    Abstract(String),
}

/// A user or group, by name or number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Account {
    /// A name from `/etc/passwd` or `/etc/group`.
    Name(String),
    /// A number, which needs no look-up.
    Id(u32),
}

impl UnixListen {
    /// The mode of a socket for which none is written.
    pub const DEFAULT_MODE: u32 = 0o600;

    /// A socket file that only its owner may connect to.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self::new(UnixName::Path(path.into()))
    }

    const fn new(name: UnixName) -> Self {
        Self { name, mode: Self::DEFAULT_MODE, user: None, group: None }
    }

    /// The same socket with other permission bits.
    #[must_use]
    pub const fn with_mode(mut self, mode: u32) -> Self {
        self.mode = mode & 0o777;
        self
    }

    /// Reads what stands after `unix:`; `value` is the whole text, for messages.
    pub(super) fn parse(value: &str, rest: &str) -> Result<Self, ParseListenError> {
        let (name, settings) = match rest.split_once('?') {
            Some((name, settings)) => (name, Some(settings)),
            None => (rest, None),
        };
        let mut unix = Self::new(Self::parse_name(value, name)?);
        let Some(settings) = settings else {
            return Ok(unix);
        };
        if matches!(unix.name, UnixName::Abstract(_)) {
            return Err(ParseListenError::AbstractSetting { value: value.to_owned() });
        }
        let mut seen = Vec::new();
        for setting in settings.split('&') {
            let (key, text) = setting.split_once('=').unwrap_or((setting, ""));
            if !matches!(key, "mode" | "user" | "group") {
                return Err(ParseListenError::UnknownSetting {
                    value: value.to_owned(),
                    key: key.to_owned(),
                });
            }
            if text.is_empty() || seen.contains(&key) {
                return Err(ParseListenError::BadSetting {
                    value: value.to_owned(),
                    key: key.to_owned(),
                });
            }
            seen.push(key);
            match key {
                "mode" => unix.mode = parse_mode(value, text)?,
                "user" => unix.user = Some(Account::parse(text)),
                _ => unix.group = Some(Account::parse(text)),
            }
        }
        Ok(unix)
    }

    fn parse_name(value: &str, name: &str) -> Result<UnixName, ParseListenError> {
        let (name, length) = match name.strip_prefix('@') {
            Some(rest) if !rest.is_empty() => (UnixName::Abstract(rest.to_owned()), name.len()),
            None if name.starts_with('/') && !name.ends_with('/') => {
                (UnixName::Path(PathBuf::from(name)), name.len())
            }
            Some(_) | None => {
                return Err(ParseListenError::NoPath { value: value.to_owned() });
            }
        };
        if length > LONGEST_PATH {
            return Err(ParseListenError::LongPath {
                value: value.to_owned(),
                length,
                max: LONGEST_PATH,
            });
        }
        Ok(name)
    }
}

fn parse_mode(value: &str, text: &str) -> Result<u32, ParseListenError> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let mode = u32::from_str_radix(digits, 8).ok();
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    mode.filter(|mode| plain && *mode <= 0o777)
        .ok_or_else(|| ParseListenError::BadMode { value: value.to_owned(), mode: text.to_owned() })
}

impl Account {
    fn parse(text: &str) -> Self {
        match text.parse() {
            Ok(id) => Self::Id(id),
            Err(_) => Self::Name(text.to_owned()),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

impl fmt::Display for UnixListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", self.name)?;
        let mut separator = '?';
        if self.mode != Self::DEFAULT_MODE {
            write!(f, "{separator}mode={:04o}", self.mode)?;
            separator = '&';
        }
        for (key, account) in [("user", &self.user), ("group", &self.group)] {
            if let Some(account) = account {
                write!(f, "{separator}{key}={account}")?;
                separator = '&';
            }
        }
        Ok(())
    }
}
