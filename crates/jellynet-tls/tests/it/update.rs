//! TXT records on BIND, by dynamic update.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jellynet_test::peer::{self, Process};
use jellynet_tls::{
    AcmeManager, Challenge, DnsError, DnsProvider, DnsUpdate, IdentityStore, Timestamp,
    TsigAlgorithm, TsigKey, UpdateProblem,
};

use crate::authority::{Authority, PATIENCE, ports};
use crate::support::{folder, loader};

const SECRET: &str = "c2VjcmV0IG9mIGEgdGVzdCwgbm90aGluZyBlbHNlIQ==";
const RECORD: &str = "_acme-challenge.tv.example.org";

/// BIND with the zones example.org, for the keys `writer` and `writer512`, and frozen.test, for
/// nobody.
struct Bind {
    folder: PathBuf,
    address: SocketAddr,
    _process: Process,
}

impl Bind {
    /// `None` if it is not installed.
    fn start(name: &str) -> Option<Self> {
        let bind = peer::find_with("named", &["-v"])?;
        let folder = folder(name);
        let port = ports(["dns"])["dns"];
        let key = |name: &str, algorithm: &str| {
            let key = format!(
                "key \"{name}\" {{\n\talgorithm {algorithm};\n\tsecret \"{SECRET}\";\n}};\n"
            );
            fs::write(folder.join(format!("{name}.key")), &key).unwrap();
            key
        };
        let zone = |name: &str, policy: &str| {
            let records =
                "@ 60 SOA ns hostmaster 1 3600 600 86400 60\n@ 60 NS ns\nns 60 A 127.0.0.1\n";
            fs::write(folder.join(name), records).unwrap();
            format!("zone \"{name}\" {{ type primary; file \"{name}\"; {policy} }};\n")
        };
        let at = folder.display();
        let config = [
            format!(
                "options {{ directory \"{at}\"; listen-on port {port} {{ 127.0.0.1; }}; \
                 listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; recursion no; \
                 managed-keys-directory \"{at}\"; notify no; }};\ncontrols {{ }};\n"
            ),
            key("writer", "hmac-sha256"),
            key("writer512", "hmac-sha512"),
            key("reader", "hmac-sha256"),
            zone(
                "example.org",
                "update-policy { grant writer zonesub TXT; grant writer512 zonesub TXT; };",
            ),
            zone("frozen.test", ""),
        ]
        .concat();
        let file = folder.join("named.conf");
        fs::write(&file, config).unwrap();
        let mut command = bind.command();
        command.args(["-g", "-4", "-n", "1", "-c"]).arg(file);
        let process = Process::spawn(command);
        let address = (Ipv4Addr::LOCALHOST, port).into();
        peer::wait_for_port(address, PATIENCE);
        Some(Self { folder, address, _process: process })
    }

    fn key(&self, name: &str) -> TsigKey {
        TsigKey::read(&self.folder.join(format!("{name}.key")), None, None).unwrap()
    }

    fn update(&self, key: TsigKey) -> DnsUpdate {
        DnsUpdate::new(self.address.to_string(), key).with_pause(Duration::ZERO)
    }

    /// The TXT records, as dig prints them.
    fn records(&self) -> Vec<String> {
        let dig = peer::find_with("dig", &["-v"]).unwrap();
        let (host, port) = (self.address.ip().to_string(), self.address.port().to_string());
        let mut command = dig.command();
        command.args(["+short", "+tcp", &format!("@{host}"), "-p", &port, RECORD, "TXT"]);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let mut records: Vec<String> = said.lines().map(str::to_owned).collect();
        records.sort();
        records
    }
}

fn problem(error: DnsError) -> (UpdateProblem, String) {
    let said = error.to_string();
    let problem = match error {
        DnsError::Update { problem, .. } => Some(problem),
        _ => None,
    };
    (problem.expect(&said), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_added_beside_each_other_and_removed_alone() {
    let Some(bind) = Bind::start("update-records") else { return };
    for key in ["writer", "writer512"] {
        let update = bind.update(bind.key(key));
        update.add_txt(RECORD, "one").await.unwrap();
        update.add_txt(RECORD, "two").await.unwrap();
        assert_eq!(bind.records(), ["\"one\"", "\"two\""]);
        update.remove_txt(RECORD, "one").await.unwrap();
        assert_eq!(bind.records(), ["\"two\""]);
        update.clone().with_zone("example.org.").remove_txt(RECORD, "two").await.unwrap();
        assert!(bind.records().is_empty());
        update.remove_txt(RECORD, "two").await.expect("what is gone may go again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_name_server_dislikes_is_said_in_plain_words() {
    let Some(bind) = Bind::start("update-refusals") else { return };
    let refusal = async |update: DnsUpdate, record: &str| {
        problem(update.add_txt(record, "value").await.unwrap_err())
    };
    let writer = || bind.update(bind.key("writer"));

    let unknown = TsigKey::new("nobody", TsigAlgorithm::HmacSha256, SECRET).unwrap();
    let (what, said) = refusal(bind.update(unknown), RECORD).await;
    assert!(matches!(what, UpdateProblem::BadKey { .. }), "{said}");
    assert!(said.contains("does not know the key nobody with hmac-sha256"), "{said}");

    let stale = TsigKey::new("writer", TsigAlgorithm::HmacSha256, "c3RhbGU=").unwrap();
    let (what, said) = refusal(bind.update(stale), RECORD).await;
    assert!(matches!(what, UpdateProblem::BadSignature { .. }), "{said}");

    for (update, record) in
        [(bind.update(bind.key("reader")), RECORD), (writer(), "_acme-challenge.frozen.test")]
    {
        let (what, said) = refusal(update, record).await;
        assert!(matches!(what, UpdateProblem::Refused { .. }), "{said}");
        assert!(said.contains("update-policy"), "{said}");
    }

    let (what, said) = refusal(writer().with_zone("example.net"), "a.example.net").await;
    assert!(matches!(what, UpdateProblem::NotAuthoritative { .. }), "{said}");
    let (what, said) = refusal(writer(), "a.example.net").await;
    assert!(matches!(what, UpdateProblem::NoZone { .. }), "{said}");
    let (what, said) = refusal(writer().with_zone("example.net"), RECORD).await;
    assert!(matches!(what, UpdateProblem::OutOfZone { .. }), "{said}");

    let port = ports(["dns"])["dns"];
    let nobody = DnsUpdate::new(format!("127.0.0.1:{port}"), bind.key("writer"));
    let error = nobody.add_txt(RECORD, "value").await.unwrap_err();
    assert!(matches!(error, DnsError::NameServer { .. }), "{error}");
    assert!(error.to_string().ends_with(&port.to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_told_by_how_much() {
    let Some(bind) = Bind::start("update-clock") else { return };
    let an_hour_ago = || Timestamp::from_unix(Timestamp::now().as_unix() - 3600);
    let update = bind.update(bind.key("writer")).with_clock(an_hour_ago);
    let (what, said) = problem(update.add_txt(RECORD, "value").await.unwrap_err());
    let UpdateProblem::BadTime { seconds } = what else { panic!("{said}") };
    assert!((-3660..=-3600).contains(&seconds), "{said}");
    assert!(said.contains("behind its own"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_is_proved_through_the_name_server() {
    let Some(bind) = Bind::start("update-acme") else { return };
    let Some(pebble) = Authority::pebble_with("update-pebble", bind.address) else { return };
    let update = Arc::new(bind.update(bind.key("writer")));
    let store = IdentityStore::new(loader());
    let names = ["*.tv.example.org", "tv.example.org"];
    let config = pebble.config(&names, Challenge::Dns01(update));
    AcmeManager::new(config, &store).unwrap().renew(Timestamp::now()).await.unwrap();
    let identity = store.identity_for(Some("any.tv.example.org")).unwrap();
    assert!(identity.covers("any.tv.example.org") && identity.covers("tv.example.org"));
    assert!(bind.records().is_empty(), "nothing is left behind: {:?}", bind.records());
}
