//! The password of a file, which nothing ever prints.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::error::LoadError;

/// None, a text, or a file that holds it. `Debug` shows which, never the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    None,
    Text(Zeroizing<String>),
    File(PathBuf),
}

impl Password {
    /// The file is not protected. The same as an empty text, as with Jellyfin.
    #[must_use]
    pub const fn none() -> Self {
        Self(Kind::None)
    }

    /// The password itself.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Kind::Text(Zeroizing::new(text.into())))
    }

    /// The first line of this file; it is read anew with each load.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    pub(super) const fn path(&self) -> Option<&PathBuf> {
        match &self.0 {
            Kind::File(path) => Some(path),
            Kind::None | Kind::Text(_) => None,
        }
    }

    pub(super) fn read(&self) -> Result<Option<Zeroizing<String>>, LoadError> {
        let path = match &self.0 {
            Kind::None => return Ok(None),
            Kind::Text(text) => return Ok(Some(text.clone())),
            Kind::File(path) => path,
        };
        let bytes = super::files::read(path, 64 * 1024)?;
        let text = match str::from_utf8(&bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
            // Written by an editor of the last century.
            Err(_) => bytes.iter().copied().map(char::from).collect(),
        };
        let text = Zeroizing::new(text);
        let line = text.split(['\n', '\r']).next().unwrap_or_default();
        Ok(Some(Zeroizing::new(line.to_owned())))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::None => f.write_str("Password(none)"),
            Kind::Text(_) => f.write_str("Password(text, hidden)"),
            Kind::File(path) => write!(f, "Password(file {})", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_never_shown() {
        assert!(!format!("{:?}", Password::text("hunter2")).contains("hunter2"));
    }
}
