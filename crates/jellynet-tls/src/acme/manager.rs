//! Keeps one certificate of an authority fresh.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use super::attempt::Tell;
use super::challenge::{self, Board};
use super::storage::{State, Storage};
use super::{AcmeConfig, AcmeError, AcmeEvent, AcmeKey, AcmeStatus, Http01, schedule};
use crate::identity::Identity;
use crate::source::Source;
use crate::store::IdentityStore;
use crate::time::Timestamp;

/// Clocks are set and machines sleep: no longer than this without a look at the clock.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// Timestamps are whole seconds.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

/// How soon it is tried again to write a certificate to a disk that was full.
const SAVE_AGAIN: Duration = Duration::from_secs(30);

/// Gets and renews one certificate, and serves it through a store.
///
/// # Examples
///
/// ```no_run
/// # async fn example(store: jellynet_tls::IdentityStore) -> Result<(), Box<dyn std::error::Error>> {
/// use jellynet_tls::{AcmeConfig, AcmeManager, LETS_ENCRYPT, Timestamp};
///
/// let mut config = AcmeConfig::new("/var/lib/jellynet/acme", ["tv.example.org"]);
/// config.directory = LETS_ENCRYPT.to_owned();
/// let manager = AcmeManager::new(config, &store)?;
/// manager.load(Timestamp::now());
/// tokio::spawn(manager.run(|event| eprintln!("{event}")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AcmeManager {
    pub(super) config: Arc<AcmeConfig>,
    pub(super) storage: Storage,
    pub(super) board: Board,
    pub(super) live: Arc<Mutex<Live>>,
    /// One order at a time, among those that share an account.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

/// What changes while it runs.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) state: State,
    pub(super) under_way: bool,
    /// Key and chain that the disk did not take.
    pub(super) unsaved: Option<Zeroizing<Vec<u8>>>,
}

impl AcmeManager {
    /// A manager that asks nothing of anyone yet.
    ///
    /// # Errors
    ///
    /// When there are no names.
    pub fn new(config: AcmeConfig, store: &IdentityStore) -> Result<Self, AcmeError> {
        let board = Board { store: store.clone(), http01: Http01::default() };
        Self::with_board(config, board, Arc::default())
    }

    /// Another manager for the same names and account with another kind of key, so that old
    /// clients are served with RSA and all others with ECDSA. The answers of HTTP-01 are shared.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new).
    pub fn beside(&self, key: AcmeKey) -> Result<Self, AcmeError> {
        let mut config = (*self.config).clone();
        config.key = key;
        Self::with_board(config, self.board.clone(), Arc::clone(&self.turn))
    }

    fn with_board(
        config: AcmeConfig,
        board: Board,
        turn: Arc<tokio::sync::Mutex<()>>,
    ) -> Result<Self, AcmeError> {
        if config.names.is_empty() {
            return Err(AcmeError::NoNames);
        }
        let storage = Storage::new(&config.storage, &config.directory, config.key);
        let mut state = storage.state();
        let asked = config.asked();
        if state.asked.as_ref() != Some(&asked) {
            // Another question than the one that failed: it is asked without a pause.
            state = State { asked: Some(asked), ..State::default() };
        }
        let live = Live { state, under_way: false, unsaved: None };
        let live = Arc::new(Mutex::new(live));
        Ok(Self { config: Arc::new(config), storage, board, live, turn })
    }

    /// The answers of HTTP-01, for what listens on port 80.
    #[must_use]
    pub fn http01(&self) -> Http01 {
        self.board.http01.clone()
    }

    /// Serves the certificate that was kept from before, if there is one; asks nothing of the
    /// authority.
    pub fn load(&self, now: Timestamp) {
        let source = Source::new(self.storage.certificate());
        if let Ok(identity) = self.board.store.loader().load(&source, now)
            && self.config.names.iter().all(|name| covers(&identity, name))
        {
            self.board.store.set(self.name(), identity, now);
        }
    }

    /// When the authority is asked for a certificate next; in the past, if that is due.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Timestamp {
        let served = self.served();
        due(&self.config, served.as_ref(), &self.live().state, now)
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> AcmeStatus {
        let (next_attempt, served) = (self.due(now), self.served());
        let live = self.live();
        AcmeStatus {
            identity: self.name(),
            names: self.config.names.clone(),
            directory: self.config.directory.clone(),
            challenge: challenge::kind(&self.config.challenge).1,
            not_after: served.map(|identity| identity.info().not_after),
            under_way: live.under_way,
            failures: live.state.failures,
            last_error: live.state.last_error.clone(),
            next_attempt,
        }
    }

    /// The name of the identity in the store.
    pub(super) fn name(&self) -> &'static str {
        match self.config.key {
            AcmeKey::EcdsaP256 => "acme",
            AcmeKey::Rsa2048 => "acme-rsa",
        }
    }

    pub(super) fn served(&self) -> Option<Identity> {
        let first = self.config.names.first()?;
        let identity = self.board.store.named(self.name())?;
        covers(&identity, first).then_some(identity)
    }

    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the certificate fresh until it is dropped, and hands every event to `on_event`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it abandons an order that is under way; that it was begun is known after a
    /// restart.
    pub async fn run(self, mut on_event: impl FnMut(AcmeEvent) + Send) {
        if self.served().is_none() {
            self.load(Timestamp::now());
        }
        loop {
            let now = Timestamp::now();
            self.save_again(&mut on_event);
            self.ask(now, &mut on_event).await;
            let due = self.due(now);
            if now < due {
                tokio::time::sleep(self.pause(due, now)).await;
                continue;
            }
            if let Err(error) = self.attempt(now, &mut on_event).await {
                let message = crate::error::chain(&error);
                // From now on, not from the beginning of an attempt that may have taken minutes.
                on_event(AcmeEvent::Failed { message, retry_at: self.due(Timestamp::now()) });
            }
        }
    }

    /// Until there is something to do.
    fn pause(&self, due: Timestamp, now: Timestamp) -> Duration {
        let asks = self.served().is_some();
        let live = self.live();
        // No question is open after a failure, or without a certificate.
        let asks = asks && live.state.failures == 0;
        let wake = if asks { due.min(Timestamp::from_unix(live.state.ask_at)) } else { due };
        let longest = if live.unsaved.is_some() { SAVE_AGAIN } else { LONGEST_SLEEP };
        wake.since(now).clamp(SHORTEST_SLEEP, longest)
    }

    /// Gets a certificate now, whatever the schedule says, and serves it.
    ///
    /// # Errors
    ///
    /// Why there is none; the one that was served before still is.
    pub async fn renew(&self, now: Timestamp) -> Result<Vec<AcmeEvent>, AcmeError> {
        let mut events = Vec::new();
        let mut tell = |event| match event {
            AcmeEvent::Step(_) => {}
            event => events.push(event),
        };
        self.attempt(now, &mut tell).await?;
        Ok(events)
    }

    /// Writes down what could not be written before.
    fn save_again(&self, tell: Tell<'_>) {
        let mut live = self.live();
        let Some(pem) = &live.unsaved else {
            return;
        };
        let saved = self.storage.save_certificate(pem);
        if saved.and_then(|()| self.storage.save_state(&live.state)).is_ok() {
            live.unsaved = None;
            drop(live);
            tell(AcmeEvent::Saved);
        }
    }
}

fn due(config: &AcmeConfig, served: Option<&Identity>, state: &State, now: Timestamp) -> Timestamp {
    let wanted = match served {
        Some(identity) => {
            let info = identity.info();
            let own = schedule::renewal(info.not_before, info.not_after);
            state.renew_at.map_or(own, Timestamp::from_unix)
        }
        None => now,
    };
    match state.failures {
        0 => wanted,
        failures => {
            let pause = schedule::pause(config.first_pause, failures);
            wanted.max(Timestamp::from_unix(state.attempted_at).plus(pause))
        }
    }
}

/// Is this name one of the certificate's, a wildcard literally?
fn covers(identity: &Identity, name: &str) -> bool {
    identity.info().names.iter().any(|own| own.eq_ignore_ascii_case(name)) || identity.covers(name)
}
