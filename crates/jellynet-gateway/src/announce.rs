//! Who this server is, and who it speaks for on 7359/udp.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jellynet_discovery::{
    DiscoveryEvent, DiscoveryService, Identity, PORT, Responder, ResponderConfig, ResponderStats,
    ServerId,
};
use jellynet_netif::{Driver, Interfaces, SubnetSet};
use jellynet_published::Ask;
use tokio::task::AbortHandle;

use crate::config::{Discovery, Server};
use crate::identity::Known;

/// The name and id of this server when there is no upstream that has its own.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) name: String,
    pub(crate) id: ServerId,
}

impl Own {
    /// Takes the configured name, else the host's, and the id that is kept in the data directory.
    /// Where none can be kept, this run has one of its own, and says so.
    pub(crate) fn load(server: &Server) -> Self {
        let file = server.data_dir().join("server-id");
        let id = match keep(&file) {
            Ok(id) => id,
            Err(error) => {
                tracing::warn!(
                    file = %file.display(),
                    %error,
                    "keep no server id: clients take this server for a new one after each start; \
                     set server.data_dir to a directory that can be written"
                );
                ServerId::from_bytes(passing_id())
            }
        };
        Self { name: server.name.clone().unwrap_or_else(host_name), id }
    }
}

impl Own {
    /// The id that is kept in the data directory, if one is.
    pub(crate) fn known_id(server: &Server) -> Option<String> {
        let text = std::fs::read_to_string(server.data_dir().join("server-id")).ok()?;
        Some(text.trim_start_matches('\u{feff}').trim().to_owned())
    }
}

fn keep(file: &Path) -> Result<ServerId, String> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    }
    ServerId::load_or_create(file).map_err(|error| match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}

/// Sixteen bytes that differ from one run and host to the next.
fn passing_id() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let mut id = [0; 16];
    for half in id.chunks_exact_mut(8) {
        half.copy_from_slice(&RandomState::new().hash_one(std::process::id()).to_ne_bytes());
    }
    id
}

pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Speaks for this server, or for the upstreams behind it, on 7359/udp, where that is switched on;
/// cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcer(Arc<Mutex<Option<Speaking>>>);

/// Ends when it is dropped.
#[derive(Debug)]
struct Speaking {
    responder: Driver<Responder>,
    allowed: SubnetSet,
    conflicts: AbortHandle,
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.conflicts.abort();
    }
}

impl Announcer {
    /// Answers from now on, or does not; nobody is spoken for at first.
    pub(crate) fn switch(&self, config: &Discovery, interfaces: &Interfaces) {
        let mut speaking = self.speaking();
        let goes_on = speaking.as_ref().is_some_and(|it| it.allowed == config.allow);
        if !config.enabled {
            *speaking = None;
        } else if !goes_on {
            // The one before first, or some would be answered twice.
            *speaking = None;
            *speaking = Some(Speaking::start(config, interfaces));
        }
    }

    /// Speaks for these from now on, each at its own URL, and for nobody else.
    pub(crate) fn speak_for(&self, all: &[Known]) {
        let Some(responder) = self.responder() else { return };
        let identities: Vec<_> = all.iter().map(identity).collect();
        responder.with(|responder, _now| {
            let spoken = |id| identities.iter().any(|identity| identity.id() == id);
            let before: Vec<_> = responder.identities().iter().map(Identity::id).collect();
            for gone in before.into_iter().filter(|id| !spoken(*id)) {
                responder.withdraw(gone);
            }
            for identity in identities {
                responder.advertise(identity);
            }
        });
    }

    /// What became of the datagrams, where there are any.
    pub(crate) fn stats(&self) -> Option<ResponderStats> {
        Some(self.responder()?.with(|responder, _now| responder.stats()))
    }

    /// How the socket on 7359/udp stands, in words.
    pub(crate) fn status(&self) -> String {
        let Some(responder) = self.responder() else {
            return "switched off".to_owned();
        };
        let status = responder.status();
        match status.listening().next() {
            Some(_) => format!("answering on {PORT}/udp"),
            None => {
                let failures: Vec<_> = status.failures().collect();
                format!("not yet on {PORT}/udp, tried again and again: {}", failures.join("; "))
            }
        }
    }

    fn responder(&self) -> Option<Driver<Responder>> {
        self.speaking().as_ref().map(|speaking| speaking.responder.clone())
    }

    fn speaking(&self) -> MutexGuard<'_, Option<Speaking>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Speaking {
    fn start(config: &Discovery, interfaces: &Interfaces) -> Self {
        let mut rules = ResponderConfig::default();
        rules.allowed = config.allow.clone();
        let service = DiscoveryService::spawn(Responder::new(rules), interfaces.clone());
        Self {
            responder: service.driver(),
            allowed: config.allow.clone(),
            conflicts: tokio::spawn(watch_conflicts(service)).abort_handle(),
        }
    }
}

/// A site as it answers, with the URL under which each asker reaches it.
fn identity(known: &Known) -> Identity {
    let reach = known.site.reach.clone();
    Identity::new(known.id, &known.name, move |asker| {
        let announced = reach.url(&Ask::new(asker.peer).came_by(asker.interface));
        announced.map(|announced| announced.url)
    })
}

/// How often it is asked whether there is another identity to look for.
const LOOK: Duration = Duration::from_secs(5);

/// Looks for others with one of our ids, once for each set of ids, and says so.
async fn watch_conflicts(mut service: DiscoveryService) {
    let mut looked = Vec::new();
    let mut tick = tokio::time::interval(LOOK);
    loop {
        let event = tokio::select! {
            event = service.next() => event,
            _ = tick.tick() => {
                let ids = service.ids();
                if ids != looked {
                    service.look_for_conflicts();
                    looked = ids;
                }
                continue;
            }
        };
        match event {
            None => return,
            Some(DiscoveryEvent::Conflict(found)) => tracing::warn!(
                other = %found.from,
                name = found.answer.name,
                id = found.answer.id,
                "another server has our id: clients take one for the other; give one of them a \
                 new id (Jellyfin: device.txt, jellynet: server-id in its data directory)"
            ),
            Some(_) => {}
        }
    }
}
