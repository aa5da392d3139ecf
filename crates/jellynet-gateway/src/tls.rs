//! Which certificates are shown on HTTPS, and what keeps them fresh.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jellynet_netif::{InterfaceTable, Interfaces};
use jellynet_tls::{
    Event, IdentityStore, Loader, LocalCertificate, LocalError, Status, Timestamp, TlsAcceptor,
    TlsOptions, default_provider,
};

use crate::announce::host_name;
use crate::config::Https;
use crate::gateway::OpenError;

/// How often a certificate that was made here is looked at, besides at each change of addresses.
const LOOK: Duration = Duration::from_secs(24 * 60 * 60);
/// The name of the identity that is made here.
const SELF_SIGNED: &str = "self-signed";

/// HTTPS at work; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) store: IdentityStore,
}

impl Tls {
    /// Loads what is configured, or makes a certificate where none is; then watches the files.
    pub(crate) fn open(
        config: &Https,
        data: &Path,
        interfaces: &Interfaces,
    ) -> Result<Self, OpenError> {
        let store = IdentityStore::new(Loader::new(default_provider()));
        for (at, source) in config.identities.iter().enumerate() {
            let name = format!("identity[{at}]");
            match store.add(&name, source.clone(), Timestamp::now()) {
                Ok(_) => {}
                Err(error) if config.optional => {
                    tracing::error!(name, %error, "serve HTTPS without a certificate");
                }
                Err(error) => {
                    return Err(OpenError::Certificate { name, source: Box::new(error) });
                }
            }
        }
        if config.identities.is_empty() {
            make(&store, config, data, interfaces)?;
        }
        let mut options = TlsOptions::default();
        options.profile = config.profile;
        let acceptor = TlsAcceptor::new(&store, options).map_err(|error| {
            OpenError::Certificate { name: "tls".to_owned(), source: Box::new(error) }
        })?;
        tokio::spawn(store.clone().watch(IdentityStore::WATCH_INTERVAL, |event| tell(&event)));
        Ok(Self { acceptor, store })
    }

    /// How each certificate is.
    pub(crate) fn status(&self) -> Vec<Status> {
        self.store.status(Timestamp::now())
    }
}

fn tell(event: &Event) {
    match event {
        Event::Failed { .. } => tracing::error!(%event, "keep the certificate that is served"),
        Event::Warned { .. } => tracing::warn!(%event, "certificate"),
        _ => tracing::info!(%event, "certificate"),
    }
}

/// A certificate of this host's own, followed by its names and addresses.
fn make(
    store: &IdentityStore,
    config: &Https,
    data: &Path,
    interfaces: &Interfaces,
) -> Result<(), OpenError> {
    let path = data.join("self-signed.pem");
    let maker =
        Maker { path: path.clone(), names: config.names.clone(), loader: store.loader().clone() };
    let failed = |source| OpenError::Certificate { name: SELF_SIGNED.to_owned(), source };
    maker.ensure(&interfaces.current()).map_err(|error| failed(Box::new(error)))?;
    store
        .add(SELF_SIGNED, jellynet_tls::Source::new(&path), Timestamp::now())
        .map_err(|error| failed(Box::new(error)))?;
    tracing::warn!(
        path = %path.display(),
        "HTTPS has no certificate, and shows one that was made here: clients refuse it until it is \
         accepted on each device; set identity[0].certificate to one that they trust"
    );
    tokio::spawn(Arc::new(maker).follow(interfaces.clone()));
    Ok(())
}

struct Maker {
    path: PathBuf,
    names: Vec<String>,
    loader: Loader,
}

impl Maker {
    fn ensure(&self, interfaces: &InterfaceTable) -> Result<(), LocalError> {
        if let Some(directory) = self.path.parent() {
            // What goes wrong here goes wrong again when the file is written, and is said then.
            let _ = std::fs::create_dir_all(directory);
        }
        let addresses =
            interfaces.addresses().filter(|(_, address)| !address.temporary && !address.tentative);
        let addresses = addresses.map(|(_, address)| address.ip().to_string());
        let names = self.names.iter().cloned().chain([host_name()]).chain(addresses);
        let made = LocalCertificate::new(names).ensure(
            &self.path,
            None,
            &self.loader,
            Timestamp::now(),
        )?;
        if let Some(why) = made.made {
            tracing::info!(path = %self.path.display(), %why, "made a certificate");
        }
        Ok(())
    }

    /// Looks whenever addresses change, and once a day. The store sees the new file by itself.
    async fn follow(self: Arc<Self>, mut interfaces: Interfaces) {
        loop {
            let _ = tokio::time::timeout(LOOK, interfaces.changed()).await;
            let (maker, table) = (Arc::clone(&self), interfaces.current());
            let made = tokio::task::spawn_blocking(move || maker.ensure(&table)).await;
            if let Ok(Err(error)) = made {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "cannot renew the certificate that was made here");
            }
        }
    }
}
