//! Who else answers to clients that search: is there a second server with our id?

use std::time::Duration;

use jellynet_discovery::{SeekEvent, SeekerConfig, seek};

use super::{Finding, Patient};

const TEST: &str = "twins";
/// How long answers are waited for.
const WAIT: Duration = Duration::from_secs(3);

pub(super) async fn test(patient: Patient) -> Vec<Finding> {
    let table = patient.table();
    let mut search = seek(SeekerConfig::default().with_wait(WAIT), patient.interfaces.clone());
    let (mut found, mut others, mut ourselves) = (Vec::new(), 0, false);
    while let Some(event) = search.next().await {
        let (SeekEvent::Found(answer) | SeekEvent::Also(answer)) = event else { continue };
        let from = answer.from.ip();
        if table.holding(from).is_some() {
            ourselves = true;
            continue;
        }
        others += 1;
        let mut ours = patient.running.ids.iter().flatten();
        if ours.any(|ours| ours.eq_ignore_ascii_case(&answer.answer.id)) {
            let name = &answer.answer.name;
            found.push(Finding::problem(
                TEST,
                format!("{name:?} at {from} has our id: clients take one server for the other"),
                "give one of them a new id (Jellyfin: device.txt, jellynet: server-id in its data \
                 directory)",
            ));
        }
    }
    if found.is_empty() {
        found.push(Finding::good(
            TEST,
            format!("no other server has our id ({others} answers of other hosts)"),
        ));
    }
    if ourselves {
        found.push(Finding::good(TEST, "this host answers to clients that search"));
    }
    found
}
