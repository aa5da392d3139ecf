//! Keeps one certificate of an authority fresh.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{Account, CertificateIdentifier, ExternalAccountKey, NewAccount};

use super::challenge::Board;
use super::storage::{State, Storage};
use super::{AcmeConfig, AcmeError, AcmeEvent, Challenge, Http01, client, order, schedule};
use crate::identity::Identity;
use crate::source::Source;
use crate::store::IdentityStore;
use crate::time::Timestamp;

/// The name of the identity in the store.
const NAME: &str = "acme";

/// Clocks are set and machines sleep: no longer than this without a look at the clock.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// How often a suggestion is asked for where the authority does not say.
const ASK_AGAIN: Duration = Duration::from_secs(6 * 3600);

/// Requests that a stale nonce spoils are made anew, so often.
const ATTEMPTS: usize = 5;

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
    config: Arc<AcmeConfig>,
    storage: Storage,
    board: Board,
}

impl AcmeManager {
    /// A manager that asks nothing of anyone yet.
    ///
    /// # Errors
    ///
    /// When there are no names.
    pub fn new(config: AcmeConfig, store: &IdentityStore) -> Result<Self, AcmeError> {
        if config.names.is_empty() {
            return Err(AcmeError::NoNames);
        }
        let storage = Storage::new(&config.storage, &config.directory);
        let board = Board { store: store.clone(), http01: Http01::default() };
        Ok(Self { config: Arc::new(config), storage, board })
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
            self.board.store.set(NAME, identity, now);
        }
    }

    /// When the authority is asked for a certificate next; in the past, if that is due.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Timestamp {
        due(self.served().as_ref(), &self.storage.state(), now)
    }

    fn served(&self) -> Option<Identity> {
        let first = self.config.names.first()?;
        let identity = self.board.store.named(NAME)?;
        covers(&identity, first).then_some(identity)
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
        let mut state = self.storage.state();
        loop {
            let now = Timestamp::now();
            let served = self.served();
            if let Some(identity) = &served
                && state.ask_at <= now.as_unix()
                && state.failures == 0
            {
                self.ask(identity, &mut state, now).await;
            }
            let due = due(served.as_ref(), &state, now);
            if now < due {
                let pause = due.since(now).min(LONGEST_SLEEP);
                tokio::time::sleep(pause).await;
                continue;
            }
            match self.attempt(&mut state, now).await {
                Ok(events) => events.into_iter().for_each(&mut on_event),
                Err(error) => {
                    let message = crate::error::chain(&error);
                    let retry_at = now.plus(schedule::pause(state.failures));
                    on_event(AcmeEvent::Failed { message, retry_at });
                }
            }
        }
    }

    /// Gets a certificate now, whatever the schedule says, and serves it.
    ///
    /// # Errors
    ///
    /// Why there is none; the one that was served before still is.
    pub async fn renew(&self, now: Timestamp) -> Result<Vec<AcmeEvent>, AcmeError> {
        self.attempt(&mut self.storage.state(), now).await
    }

    /// One attempt, with its traces in the state before and after.
    async fn attempt(
        &self,
        state: &mut State,
        now: Timestamp,
    ) -> Result<Vec<AcmeEvent>, AcmeError> {
        state.attempted_at = now.as_unix();
        state.failures = state.failures.saturating_add(1);
        // If not even that can be written, the authority is not troubled.
        self.storage.save_state(state)?;
        match self.obtain(now).await {
            Ok((identity, saved)) => {
                *state = State { ask_at: now.as_unix(), ..State::default() };
                let info = identity.info();
                let mut events = vec![AcmeEvent::Issued {
                    names: info.names.clone(),
                    not_after: info.not_after,
                }];
                if let Err(error) = saved.and_then(|()| self.storage.save_state(state)) {
                    events.push(AcmeEvent::NotSaved { message: crate::error::chain(&error) });
                }
                Ok(events)
            }
            Err(error) => {
                state.last_error = Some(crate::error::chain(&error));
                // The cause matters more than that it cannot be written down.
                let _ = self.storage.save_state(state);
                Err(error)
            }
        }
    }

    async fn obtain(&self, now: Timestamp) -> Result<(Identity, Result<(), AcmeError>), AcmeError> {
        let mut attempts = 0;
        let pem = loop {
            attempts += 1;
            match self.order().await {
                Err(AcmeError::Authority { transient: true, .. }) if attempts < ATTEMPTS => {}
                result => break result?,
            }
        };
        let loader = self.board.store.loader().clone();
        let identity = loader.decode(&pem, None, now).map_err(AcmeError::Certificate)?;
        let saved = self.storage.save_certificate(&pem);
        self.board.store.set(NAME, identity.clone(), now);
        Ok((identity, saved))
    }

    async fn order(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, AcmeError> {
        let account = self.account().await?;
        let served = self.served();
        let leaf = served.as_ref().and_then(|identity| identity.chain().first());
        let replaces = leaf.and_then(|leaf| CertificateIdentifier::try_from(leaf).ok());
        order::obtain(&self.config, &account, &self.board, replaces).await
    }

    /// The account that was kept, or a new one, which is kept before it is used.
    async fn account(&self) -> Result<Account, AcmeError> {
        let builder = client::builder(&self.config, self.board.store.loader().provider())?;
        if let Some(credentials) = self.storage.account()? {
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact: Vec<&str> = self.config.contact.iter().map(String::as_str).collect();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let external = self.config.external_account.as_ref();
        let external = external.map(|one| ExternalAccountKey::new(one.id.clone(), &one.key));
        let directory = self.config.directory.clone();
        let (account, credentials) = builder.create(&wanted, directory, external.as_ref()).await?;
        self.storage.save_account(&credentials)?;
        Ok(account)
    }

    /// Asks for a suggestion (RFC 9773). Failures do not matter: there is a schedule without it.
    async fn ask(&self, identity: &Identity, state: &mut State, now: Timestamp) {
        state.ask_at = now.plus(ASK_AGAIN).as_unix();
        let Some(leaf) = identity.chain().first() else {
            return;
        };
        if let Ok(id) = CertificateIdentifier::try_from(leaf)
            && let Ok(account) = self.account().await
            && let Ok((suggestion, again)) = account.renewal_info(&id).await
        {
            let window = &suggestion.suggested_window;
            let start = Timestamp::from_unix(window.start.unix_timestamp());
            let end = Timestamp::from_unix(window.end.unix_timestamp());
            let inside = |at: &i64| (start.as_unix()..=end.as_unix()).contains(at);
            if !state.renew_at.as_ref().is_some_and(inside) {
                state.renew_at = Some(schedule::within(start, end, self.random()).as_unix());
            }
            let again = again.clamp(Duration::from_secs(60), 4 * ASK_AGAIN);
            state.ask_at = now.plus(again).as_unix();
        }
        let _ = self.storage.save_state(state);
    }

    fn random(&self) -> u32 {
        let mut octets = [0; 4];
        let provider = self.board.store.loader().provider();
        // The start of the window is as good as any other moment of it.
        let _ = provider.secure_random.fill(&mut octets);
        u32::from_ne_bytes(octets)
    }

    /// The TXT records that DNS-PERSIST-01 needs, as name and value, to be set once by hand. Makes
    /// the account if there is none.
    ///
    /// # Errors
    ///
    /// When the account cannot be made.
    pub async fn persistent_records(&self) -> Result<Vec<(String, String)>, AcmeError> {
        let Challenge::DnsPersist01 { issuer } = &self.config.challenge else {
            return Ok(Vec::new());
        };
        let account = self.account().await?;
        let mut records: Vec<(String, String)> = Vec::new();
        for name in &self.config.names {
            let bare = name.trim_start_matches("*.");
            let wildcard = self.config.names.iter().any(|other| *other == format!("*.{bare}"));
            let policy = if wildcard { "; policy=wildcard" } else { "" };
            let value = format!("{issuer}; accounturi={}{policy}", account.id());
            let record = (format!("_validation-persist.{bare}"), value);
            if !records.contains(&record) {
                records.push(record);
            }
        }
        Ok(records)
    }
}

fn due(served: Option<&Identity>, state: &State, now: Timestamp) -> Timestamp {
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
            let allowed = Timestamp::from_unix(state.attempted_at).plus(schedule::pause(failures));
            wanted.max(allowed)
        }
    }
}

/// Is this name one of the certificate's, a wildcard literally?
fn covers(identity: &Identity, name: &str) -> bool {
    identity.info().names.iter().any(|own| own.eq_ignore_ascii_case(name)) || identity.covers(name)
}
