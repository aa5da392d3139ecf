//! One identity of a store, with what is known of its files.

use crate::error::{ErrorKind, LoadError};
use crate::identity::{Identity, hex};
use crate::source::{Files, Loader, Source, Stamp};
use crate::time::Timestamp;
use crate::warning::WarningKind;

use super::{Event, Status};

pub(super) struct Entry {
    pub(super) name: String,
    pub(super) identity: Option<Identity>,
    watched: Option<Watched>,
    loaded_at: Option<Timestamp>,
    last_error: Option<(ErrorKind, String)>,
    warned: Vec<WarningKind>,
}

/// What is known of the files of an identity.
struct Watched {
    source: Source,
    /// As of the last look whose result was used.
    stamp: Option<Stamp>,
    /// Of the content that loaded, or failed to.
    digest: Option<[u8; 32]>,
    /// Of content that was seen once and has to be seen again.
    pending: Option<[u8; 32]>,
}

impl Entry {
    pub(super) fn from_source(name: &str, source: Source) -> Self {
        let watched = Watched { source, stamp: None, digest: None, pending: None };
        Self { watched: Some(watched), ..Self::empty(name) }
    }

    pub(super) fn from_identity(name: &str, identity: Identity, now: Timestamp) -> Self {
        Self { identity: Some(identity), loaded_at: Some(now), ..Self::empty(name) }
    }

    fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            identity: None,
            watched: None,
            loaded_at: None,
            last_error: None,
            warned: Vec::new(),
        }
    }

    /// Takes the place of an entry; one that did not load does not take its identity away.
    pub(super) fn replace_with(&mut self, new: Self) {
        let old = std::mem::replace(self, new);
        if self.identity.is_none() {
            self.identity = old.identity;
            self.loaded_at = old.loaded_at;
        }
    }

    /// The first load: one read is enough, for nothing is lost by a failure.
    pub(super) fn load(&mut self, loader: &Loader, now: Timestamp) -> Result<Identity, LoadError> {
        let Some(watched) = &mut self.watched else {
            return Err(LoadError::read("".as_ref(), std::io::ErrorKind::NotFound.into()));
        };
        let stamp = Stamp::take(&watched.source);
        let result = Files::read(&watched.source, loader.limits()).and_then(|files| {
            watched.digest = Some(files.digest());
            loader.load_files(&files, now)
        });
        match &result {
            Ok(identity) => {
                watched.stamp = Some(stamp);
                self.identity = Some(identity.clone());
                self.loaded_at = Some(now);
                self.last_error = None;
            }
            Err(error) => self.last_error = Some((error.kind(), error.message())),
        }
        result
    }

    /// Looks at the files and loads what changed. True: a file is being written, look again soon.
    pub(super) fn refresh(
        &mut self,
        loader: &Loader,
        now: Timestamp,
        thorough: bool,
        events: &mut Vec<Event>,
    ) -> bool {
        let unsettled = match self.changed(loader, thorough) {
            Ok(Change::None) => false,
            Ok(Change::Unsettled) => true,
            Ok(Change::Files(files)) => {
                match loader.load_files(&files, now) {
                    Ok(identity) => self.loaded(identity, now, events),
                    Err(error) => self.failed(&error, events),
                }
                false
            }
            Err(error) => {
                self.failed(&error, events);
                false
            }
        };
        self.warn(now, events);
        unsettled
    }

    fn changed(&mut self, loader: &Loader, thorough: bool) -> Result<Change, LoadError> {
        let Some(watched) = &mut self.watched else {
            return Ok(Change::None);
        };
        let stamp = Stamp::take(&watched.source);
        if !thorough && watched.pending.is_none() && watched.stamp.as_ref() == Some(&stamp) {
            return Ok(Change::None);
        }
        // Before anything fails: what cannot be read is tried again each time.
        watched.stamp = None;
        let mut files = Files::read(&watched.source, loader.limits())?;
        let mut digest = files.digest();
        if watched.digest != Some(digest) && watched.pending != Some(digest) {
            files = Files::read(&watched.source, loader.limits())?;
            let again = files.digest();
            if again != digest || !thorough {
                watched.pending = Some(again);
                return Ok(Change::Unsettled);
            }
            digest = again;
        }
        watched.pending = None;
        if Stamp::take(&watched.source) != stamp {
            return Ok(Change::Unsettled);
        }
        watched.stamp = Some(stamp);
        if watched.digest == Some(digest) && (self.identity.is_some() || self.last_error.is_some())
        {
            // The same content that is served, or that failed: an unreadable file is back.
            let readable_again =
                self.last_error.as_ref().is_some_and(|(kind, _)| *kind == ErrorKind::Io);
            return Ok(if readable_again { Change::Files(files) } else { Change::None });
        }
        watched.digest = Some(digest);
        Ok(Change::Files(files))
    }

    fn loaded(&mut self, identity: Identity, now: Timestamp, events: &mut Vec<Event>) {
        let name = || self.name.clone();
        if self.last_error.take().is_some() {
            events.push(Event::Recovered { name: name() });
        }
        let old_sha256 = self.identity.as_ref().map(Identity::fingerprint);
        let new_sha256 = identity.fingerprint();
        if old_sha256 != Some(new_sha256) {
            let not_after = identity.info().not_after;
            events.push(Event::Replaced { name: name(), old_sha256, new_sha256, not_after });
            self.warned.clear();
        }
        self.identity = Some(identity);
        self.loaded_at = Some(now);
    }

    fn failed(&mut self, error: &LoadError, events: &mut Vec<Event>) {
        let failure = (error.kind(), error.message());
        if self.last_error.as_ref() == Some(&failure) {
            return;
        }
        let (kind, message) = failure.clone();
        self.last_error = Some(failure);
        let serving_until = self.identity.as_ref().map(|identity| identity.info().not_after);
        events.push(Event::Failed { name: self.name.clone(), kind, message, serving_until });
    }

    fn warn(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let Some(identity) = &self.identity else {
            return;
        };
        for warning in identity.warnings(now) {
            if !self.warned.contains(&warning.kind) {
                self.warned.push(warning.kind);
                events.push(Event::Warned { name: self.name.clone(), warning });
            }
        }
    }

    pub(super) fn status(&self, now: Timestamp) -> Status {
        let info = self.identity.as_ref().map(Identity::info);
        Status {
            name: self.name.clone(),
            path: self.watched.as_ref().map(|watched| watched.source.path().to_owned()),
            serving: info.is_some(),
            valid: info.is_some_and(|info| info.not_before <= now && now <= info.not_after),
            subject: info.map(|info| info.subject.clone()).unwrap_or_default(),
            names: info.map(|info| info.names.clone()).unwrap_or_default(),
            sha256: self
                .identity
                .as_ref()
                .map(|identity| hex(&identity.fingerprint()))
                .unwrap_or_default(),
            not_after: info.map(|info| info.not_after),
            loaded_at: self.loaded_at,
            last_error: self.last_error.as_ref().map(|(_, message)| message.clone()),
            warnings: self
                .identity
                .as_ref()
                .map(|identity| identity.warnings(now))
                .unwrap_or_default(),
        }
    }
}

/// What a look at the files found.
enum Change {
    None,
    /// Two reads did not agree, or there was only one.
    Unsettled,
    Files(Files),
}
