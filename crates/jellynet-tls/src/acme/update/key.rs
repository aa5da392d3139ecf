//! The key that a name server and we share.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::message::Name;
use crate::pem::base64;

/// How messages are signed (RFC 8945 § 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TsigAlgorithm {
    /// `hmac-sha256`, what `tsig-keygen` makes.
    #[default]
    HmacSha256,
    /// `hmac-sha384`.
    HmacSha384,
    /// `hmac-sha512`.
    HmacSha512,
}

impl TsigAlgorithm {
    /// As name servers write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    pub(super) fn name(self) -> Name {
        Name::of(self.as_str())
    }
}

impl FromStr for TsigAlgorithm {
    type Err = TsigKeyError;

    fn from_str(text: &str) -> Result<Self, TsigKeyError> {
        [Self::HmacSha256, Self::HmacSha384, Self::HmacSha512]
            .into_iter()
            .find(|one| text.trim_end_matches('.').eq_ignore_ascii_case(one.as_str()))
            .ok_or_else(|| TsigKeyError::Algorithm { name: text.to_owned() })
    }
}

impl fmt::Display for TsigAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TsigKeyError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The secret stands alone, and nobody says what the key is called.
    #[error("the key has no name: write the name that the name server knows it by")]
    NoName,
    /// The name is no domain name, as those of keys are.
    #[error("the name of the key is no domain name: {name}")]
    Name {
        /// The name.
        name: String,
    },
    /// Name servers know others, which are too weak or not wanted.
    #[error("write hmac-sha256, hmac-sha384 or hmac-sha512 instead of the algorithm {name}")]
    Algorithm {
        /// The algorithm.
        name: String,
    },
    /// There is no secret, or it is not base64.
    #[error("the key has no secret in base64: make one with `tsig-keygen`")]
    Secret,
}

/// Name, algorithm and secret of a key (RFC 8945); `Debug` hides the secret.
#[derive(Clone)]
pub struct TsigKey {
    name: Name,
    algorithm: TsigAlgorithm,
    secret: Zeroizing<Vec<u8>>,
}

impl TsigKey {
    /// From its parts; the secret is base64 text.
    ///
    /// # Errors
    ///
    /// What is wrong with the name or the secret.
    pub fn new(name: &str, algorithm: TsigAlgorithm, secret: &str) -> Result<Self, TsigKeyError> {
        let wire = Name::parse(name).filter(|_| !name.is_empty());
        let wire = wire.ok_or_else(|| TsigKeyError::Name { name: name.to_owned() })?;
        let secret = base64::decode(secret).ok().filter(|secret| !secret.is_empty());
        Ok(Self { name: wire, algorithm, secret: secret.ok_or(TsigKeyError::Secret)? })
    }

    /// From text, by its content: BIND's `key "name" { algorithm …; secret "…"; };` as
    /// `tsig-keygen` prints it, `algorithm:name:secret` as Knot and dig write it, or the bare
    /// secret. `name` and `algorithm` count where the text does not say.
    ///
    /// # Errors
    ///
    /// What is missing or wrong.
    pub fn parse(
        text: &str,
        name: Option<&str>,
        algorithm: Option<TsigAlgorithm>,
    ) -> Result<Self, TsigKeyError> {
        let lines = text.lines().map(str::trim).filter(|line| {
            !["#", "//", ";"].iter().any(|comment| line.starts_with(comment)) && !line.is_empty()
        });
        let text = Zeroizing::new(lines.collect::<Vec<_>>().join("\n"));
        let parts = Parts::of_block(&text).or_else(|| Parts::of_colons(&text));
        let parts = parts.unwrap_or(Parts { name: None, algorithm: None, secret: &text });
        let name = parts.name.or(name).ok_or(TsigKeyError::NoName)?;
        let algorithm = parts.algorithm.map(str::parse).transpose()?.or(algorithm);
        Self::new(name, algorithm.unwrap_or_default(), parts.secret)
    }

    /// Reads a file of one of these kinds.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or what is missing or wrong in it.
    pub fn read(
        path: &Path,
        name: Option<&str>,
        algorithm: Option<TsigAlgorithm>,
    ) -> Result<Self, TsigKeyError> {
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|source| TsigKeyError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, name, algorithm)
    }

    pub(super) const fn name(&self) -> &Name {
        &self.name
    }

    pub(super) const fn algorithm(&self) -> TsigAlgorithm {
        self.algorithm
    }

    pub(super) fn hmac(&self, text: &[u8]) -> Vec<u8> {
        match self.algorithm {
            TsigAlgorithm::HmacSha256 => hmac::<Hmac<Sha256>>(&self.secret, text),
            TsigAlgorithm::HmacSha384 => hmac::<Hmac<Sha384>>(&self.secret, text),
            TsigAlgorithm::HmacSha512 => hmac::<Hmac<Sha512>>(&self.secret, text),
        }
    }
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TsigKey")
            .field("name", &self.name)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    <M as KeyInit>::new_from_slice(key)
        .map(|mut mac| {
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        })
        .unwrap_or_default()
}

struct Parts<'a> {
    name: Option<&'a str>,
    algorithm: Option<&'a str>,
    secret: &'a str,
}

impl<'a> Parts<'a> {
    /// BIND's statement.
    fn of_block(text: &'a str) -> Option<Self> {
        let words = || {
            text.split(|c: char| c.is_whitespace() || "{};\"".contains(c))
                .filter(|word| !word.is_empty())
        };
        let after = |wanted: &str| words().skip_while(|word| *word != wanted).nth(1);
        let (name, secret) = (after("key")?, after("secret")?);
        Some(Self { name: Some(name), algorithm: after("algorithm"), secret })
    }

    /// `algorithm:name:secret` or `name:secret`.
    fn of_colons(text: &'a str) -> Option<Self> {
        let (before, secret) = text.rsplit_once(':')?;
        let (algorithm, name) = match before.split_once(':') {
            Some((algorithm, name)) => (Some(algorithm), name),
            None => (None, before),
        };
        Some(Self { name: Some(name), algorithm, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, TsigAlgorithm, Vec<u8>), String> {
        TsigKey::parse(text, None, None)
            .map(|key| (key.name.to_string(), key.algorithm, key.secret.to_vec()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_is_read_as_name_servers_write_it() {
        let bind = "# made by us\nkey \"acme.nas\" {\n\talgorithm hmac-sha512;\n\tsecret \"c2VjcmV0\";\n};\n";
        let sha512 = ("acme.nas".to_owned(), TsigAlgorithm::HmacSha512, b"secret".to_vec());
        assert_eq!(parsed(bind).unwrap(), sha512);
        assert_eq!(parsed("hmac-sha512:acme.nas:c2VjcmV0\n").unwrap(), sha512);
        assert_eq!(parsed("acme.nas:c2VjcmV0").unwrap().1, TsigAlgorithm::HmacSha256);
        let bare = TsigKey::parse("c2VjcmV0\n", Some("nas"), Some(TsigAlgorithm::HmacSha384));
        let bare = bare.unwrap();
        assert_eq!((bare.name.to_string().as_str(), &**bare.secret), ("nas", &b"secret"[..]));
        assert!(!format!("{bare:?}").contains("115"), "{bare:?}");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, why) in [
            ("c2VjcmV0", "has no name"),
            ("", "has no name"),
            ("nas:!!", "no secret in base64"),
            ("nas:", "no secret in base64"),
            ("a..b:c2VjcmV0", "no domain name: a..b"),
            ("hmac-md5:nas:c2VjcmV0", "hmac-md5"),
            ("key \"nas\" { algorithm hmac-sha1; secret \"c2VjcmV0\"; };", "hmac-sha1"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
