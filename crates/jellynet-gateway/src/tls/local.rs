//! Certificates that are made here: self-signed, or by an authority of this host's own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jellynet_netif::{InterfaceTable, Interfaces};
use jellynet_tls::{
    IdentityStore, Loader, LocalAuthority, LocalCertificate, LocalError, Source, Timestamp,
};

use crate::announce::host_name;
use crate::config::Https;
use crate::gateway::OpenError;
use crate::root::PREFIX;

/// How often a certificate that was made here is looked at, besides at each change of addresses.
const LOOK: Duration = Duration::from_secs(24 * 60 * 60);
/// The name of the identity that signs itself.
const SELF_SIGNED: &str = "self-signed";
/// The name of the identity that the local authority issues.
const LOCAL: &str = "local";

fn failed(
    name: &str,
) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> OpenError + Copy + '_ {
    move |source| OpenError::Certificate { name: name.to_owned(), source }
}

/// The authority of this host's own with its certificate, where it is asked for.
pub(super) fn open(
    store: &IdentityStore,
    config: &Https,
    data: &Path,
    interfaces: &Interfaces,
) -> Result<Option<Arc<LocalAuthority>>, OpenError> {
    if !config.local_ca {
        return Ok(None);
    }
    let failed = failed("tls.local_ca");
    // What goes wrong here goes wrong again when the file is written, and is said then.
    let _ = std::fs::create_dir_all(data);
    let host = host_name();
    let domains = config.names.iter().map(|name| name.trim_start_matches("*.").to_owned());
    let domains: Vec<_> = domains.chain([host.to_ascii_lowercase()]).collect();
    let (path, loader) = (data.join("local-ca.pem"), store.loader());
    let authority = LocalAuthority::open(&path, &domains, loader, Timestamp::now());
    let authority = Arc::new(authority.map_err(|error| failed(Box::new(error)))?);
    let maker = Maker::new(store, config, data.join("local.pem"), Some(Arc::clone(&authority)));
    maker.ensure(&interfaces.current()).map_err(|error| failed(Box::new(error)))?;
    store
        .add(LOCAL, Source::new(&maker.path), Timestamp::now())
        .map_err(|error| failed(Box::new(error)))?;
    tokio::spawn(Arc::new(maker).follow(interfaces.clone()));
    Ok(Some(authority))
}

/// Where the root is had, and by what it is known.
pub(super) fn line(authority: &LocalAuthority) -> String {
    let digest: Vec<_> = authority.sha256().iter().map(|octet| format!("{octet:02X}")).collect();
    format!(
        "local CA: {}, to be installed on each device once from {PREFIX}crt (iPhone, Mac: \
         {PREFIX}mobileconfig), until {}; SHA-256 {}",
        authority.subject(),
        authority.not_after(),
        digest.join(":")
    )
}

/// A certificate that signs itself, followed by this host's names and addresses. It is the only
/// one that was asked for, or stands in until there is another; then it need not be kept.
pub(super) fn stand_in(
    store: &IdentityStore,
    config: &Https,
    data: &Path,
    interfaces: &Interfaces,
) -> Result<(), OpenError> {
    let failed = failed(SELF_SIGNED);
    let passing = config.acme.is_some() || !config.identities.is_empty();
    let maker = Maker::new(store, config, data.join("self-signed.pem"), None);
    // What goes wrong here goes wrong again when the file is written, and is said then.
    let _ = std::fs::create_dir_all(data);
    match maker.ensure(&interfaces.current()) {
        Ok(()) => {
            store
                .add(SELF_SIGNED, Source::new(&maker.path), Timestamp::now())
                .map_err(|error| failed(Box::new(error)))?;
        }
        Err(error) if passing => {
            let now = Timestamp::now();
            let made = LocalCertificate::new(maker.names(&interfaces.current()));
            let identity =
                made.make(None, store.loader(), now).map_err(|error| failed(Box::new(error)))?;
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "keep no certificate that stands in");
            store.set(SELF_SIGNED, identity, now);
        }
        Err(error) => return Err(failed(Box::new(error))),
    }
    if passing {
        tracing::warn!("HTTPS shows a certificate that was made here until there is the right one");
        return Ok(());
    }
    tracing::warn!(
        path = %maker.path.display(),
        "HTTPS has no certificate, and shows one that was made here: clients refuse it until it is \
         accepted on each device; set acme.domains, tls.local_ca or identity[0].certificate to have \
         one that they trust"
    );
    tokio::spawn(Arc::new(maker).follow(interfaces.clone()));
    Ok(())
}

/// Takes the one that stands in away, once there is another.
pub(super) fn retire_stand_in(store: &IdentityStore) {
    let now = Timestamp::now();
    if store.status(now).iter().any(|other| other.name != SELF_SIGNED && other.serving) {
        store.remove(SELF_SIGNED, now);
    }
}

struct Maker {
    path: PathBuf,
    names: Vec<String>,
    loader: Loader,
    authority: Option<Arc<LocalAuthority>>,
    /// Names that the authority does not permit, as they were told last.
    left_out: Mutex<Vec<String>>,
}

impl Maker {
    fn new(
        store: &IdentityStore,
        config: &Https,
        path: PathBuf,
        authority: Option<Arc<LocalAuthority>>,
    ) -> Self {
        let acme = config.acme.iter().flat_map(|acme| acme.config.names.clone());
        // A stand-in shows the names that are going to be proved; the authority has its own.
        let names = config.names.iter().cloned().chain(acme.filter(|_| authority.is_none()));
        Self {
            path,
            names: names.collect(),
            loader: store.loader().clone(),
            authority,
            left_out: Mutex::default(),
        }
    }

    fn names(&self, interfaces: &InterfaceTable) -> Vec<String> {
        let host = host_name();
        let mdns =
            (self.authority.is_some() && !host.contains('.')).then(|| format!("{host}.local"));
        let addresses =
            interfaces.addresses().filter(|(_, address)| !address.temporary && !address.tentative);
        let addresses = addresses.map(|(_, address)| address.ip().to_string());
        self.names.iter().cloned().chain([host]).chain(mdns).chain(addresses).collect()
    }

    fn ensure(&self, interfaces: &InterfaceTable) -> Result<(), LocalError> {
        let mut names = self.names(interfaces);
        if let Some(authority) = &self.authority {
            let permits = |name: &String| {
                authority.permits(name.trim_start_matches("*.").to_ascii_lowercase().as_str())
            };
            let (good, bad) = names.into_iter().partition(permits);
            names = good;
            self.tell_left_out(bad);
        }
        let made = LocalCertificate::new(names).ensure(
            &self.path,
            self.authority.as_deref(),
            &self.loader,
            Timestamp::now(),
        )?;
        if let Some(why) = made.made {
            tracing::info!(path = %self.path.display(), %why, "made a certificate");
        }
        Ok(())
    }

    /// Public addresses are left out as a matter of course, names are not.
    fn tell_left_out(&self, names: Vec<String>) {
        let names: Vec<_> =
            names.into_iter().filter(|name| name.parse::<std::net::IpAddr>().is_err()).collect();
        let mut told = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != names && !names.is_empty() {
            tracing::warn!(
                names = names.join(", "),
                "leave names out that the local CA was not made for: to have them, remove \
                 local-ca.pem from server.data_dir, and install the new root on each device"
            );
        }
        *told = names;
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
