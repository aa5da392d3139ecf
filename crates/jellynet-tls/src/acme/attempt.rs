//! One attempt to get a certificate, with its traces on disk before and after.

use std::time::Duration;

use instant_acme::{Account, CertificateIdentifier, ExternalAccountKey, NewAccount};
use zeroize::Zeroizing;

use super::storage::State;
use super::{AcmeError, AcmeEvent, AcmeManager, AcmeStep, Challenge, client, order, schedule};
use crate::identity::Identity;
use crate::time::Timestamp;

/// How often a suggestion is asked for where the authority does not say.
const ASK_AGAIN: Duration = Duration::from_secs(6 * 3600);

/// Requests that a stale nonce spoils are made anew, so often.
const ATTEMPTS: usize = 5;

/// Where events go.
pub(super) type Tell<'a> = &'a mut (dyn FnMut(AcmeEvent) + Send);

impl AcmeManager {
    /// One attempt.
    pub(super) async fn attempt(&self, now: Timestamp, tell: Tell<'_>) -> Result<(), AcmeError> {
        let turn = self.turn.lock().await;
        let begun = {
            let mut live = self.live();
            live.under_way = true;
            live.state.attempted_at = now.as_unix();
            live.state.failures = live.state.failures.saturating_add(1);
            // If not even that can be written, the authority is not troubled.
            self.storage.save_state(&live.state)
        };
        let result = match begun {
            Ok(()) => self.obtain(now, tell).await,
            Err(error) => Err(error),
        };
        drop(turn);
        let mut live = self.live();
        live.under_way = false;
        if let Err(error) = &result {
            live.state.last_error = Some(crate::error::chain(error));
            // The cause matters more than that it cannot be written down.
            let _ = self.storage.save_state(&live.state);
        }
        result
    }

    /// Gets a certificate, writes it down, and serves it.
    async fn obtain(&self, now: Timestamp, tell: Tell<'_>) -> Result<(), AcmeError> {
        let mut attempts = 0;
        let pem = loop {
            attempts += 1;
            match self.order(tell).await {
                Err(AcmeError::Authority { transient: true, .. }) if attempts < ATTEMPTS => {}
                result => break result?,
            }
        };
        let loader = self.board.store.loader();
        let identity = loader.decode(&pem, None, now).map_err(AcmeError::Certificate)?;
        let not_saved = self.keep(pem, now);
        let info = identity.info();
        let (names, not_after) = (info.names.clone(), info.not_after);
        self.board.store.set(self.name(), identity, now);
        tell(AcmeEvent::Issued { names, not_after });
        if let Some(message) = not_saved {
            tell(AcmeEvent::NotSaved { message });
        }
        Ok(())
    }

    /// Writes down what was issued, and that nothing failed; why not, if it cannot.
    fn keep(&self, pem: Zeroizing<Vec<u8>>, now: Timestamp) -> Option<String> {
        let mut live = self.live();
        let asked = live.state.asked.take();
        live.state = State { ask_at: now.as_unix(), asked, ..State::default() };
        let saved = self.storage.save_certificate(&pem);
        let saved = saved.and_then(|()| self.storage.save_state(&live.state));
        let message = saved.err().map(|error| crate::error::chain(&error));
        live.unsaved = message.is_some().then_some(pem);
        message
    }

    async fn order(&self, tell: Tell<'_>) -> Result<Zeroizing<Vec<u8>>, AcmeError> {
        let account = self.account(tell).await?;
        for (name, value) in self.records(&account) {
            tell(AcmeEvent::Step(AcmeStep::Record { name, value }));
        }
        let served = self.served();
        let leaf = served.as_ref().and_then(|identity| identity.chain().first());
        let replaces = leaf.and_then(|leaf| CertificateIdentifier::try_from(leaf).ok());
        let (names, directory) = (self.config.names.clone(), self.config.directory.clone());
        tell(AcmeEvent::Step(AcmeStep::Order { names, directory }));
        order::obtain(&self.config, &account, &self.board, replaces, tell).await
    }

    /// The account that was kept, or a new one, which is kept before it is used.
    async fn account(&self, tell: Tell<'_>) -> Result<Account, AcmeError> {
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
        tell(AcmeEvent::Step(AcmeStep::Account { directory: directory.clone() }));
        let (account, credentials) = builder.create(&wanted, directory, external.as_ref()).await?;
        self.storage.save_account(&credentials)?;
        Ok(account)
    }

    /// Asks for a suggestion (RFC 9773), where there is something to renew and it is time to.
    /// Failures do not matter: there is a schedule without it.
    pub(super) async fn ask(&self, now: Timestamp, tell: Tell<'_>) {
        let Some(identity) = self.served() else {
            return;
        };
        {
            let mut live = self.live();
            if live.state.ask_at > now.as_unix() || live.state.failures > 0 {
                return;
            }
            live.state.ask_at = now.plus(ASK_AGAIN).as_unix();
        }
        let suggested = self.suggestion(&identity, now).await;
        let _ = self.storage.save_state(&self.live().state);
        if let Some(event) = suggested {
            tell(event);
        }
    }

    /// Takes a suggestion over into the state; an event, if the moment is a new one.
    async fn suggestion(&self, identity: &Identity, now: Timestamp) -> Option<AcmeEvent> {
        let id = CertificateIdentifier::try_from(identity.chain().first()?).ok()?;
        let account = self.account(&mut |_| {}).await.ok()?;
        let (suggestion, again) = account.renewal_info(&id).await.ok()?;
        let window = &suggestion.suggested_window;
        let start = Timestamp::from_unix(window.start.unix_timestamp());
        let end = Timestamp::from_unix(window.end.unix_timestamp());
        let inside = |at: &i64| (start.as_unix()..=end.as_unix()).contains(at);
        // RFC 9773 § 4.3.2: no less than a minute, no more than a day.
        let again = again.clamp(Duration::from_secs(60), 4 * ASK_AGAIN);
        let state = &mut self.live().state;
        state.ask_at = now.plus(again).as_unix();
        if state.renew_at.as_ref().is_some_and(inside) {
            return None;
        }
        let renew_at = schedule::within(start, end, self.random());
        state.renew_at = Some(renew_at.as_unix());
        Some(AcmeEvent::Suggested { renew_at, explanation: suggestion.explanation_url })
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
        if !matches!(self.config.challenge, Challenge::DnsPersist01 { .. }) {
            return Ok(Vec::new());
        }
        Ok(self.records(&self.account(&mut |_| {}).await?))
    }

    fn records(&self, account: &Account) -> Vec<(String, String)> {
        let Challenge::DnsPersist01 { issuer } = &self.config.challenge else {
            return Vec::new();
        };
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
        records
    }
}
