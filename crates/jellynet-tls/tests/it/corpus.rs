//! Files of every maker: all that should load do, the rest give the right class of error, and
//! nothing takes long.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jellynet_tls::{Inspection, Limits, LoadError, Password, Source, Timestamp, inspect};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{corpus, loader};

/// What the issue allows for one file.
const LIMIT: Duration = Duration::from_secs(5);

/// The most memory that opening a file takes: what scrypt may, and a few times the largest file.
const MEMORY: u64 = (64 + 4 * 4) << 20;

struct Case {
    source: Source,
    name: String,
    expect: String,
    served: Option<u64>,
    maker: String,
}

impl Case {
    fn new(folder: &Path, entry: &Value) -> Self {
        let text = |field: &str| entry[field].as_str().map(str::to_owned);
        let name = text("file").unwrap();
        let mut source = Source::new(folder.join(&name));
        if let Some(key) = text("key") {
            source = source.with_key(folder.join(key));
        }
        if let Some(chain) = text("chain") {
            source = source.with_chain(folder.join(chain));
        }
        if let Some(password) = text("password") {
            source = source.with_password(Password::text(password));
        }
        Self {
            source,
            expect: match text("expect").unwrap() {
                // ring cannot use it.
                _ if name == "key-p521.p12" && cfg!(not(feature = "aws-lc-rs")) => {
                    "unsupported-key".to_owned()
                }
                expect => expect,
            },
            name,
            served: entry["served"].as_u64(),
            maker: text("maker").unwrap(),
        }
    }

    /// What is wrong, if anything.
    fn check(&self) -> Result<(), String> {
        let result = within_limit(self.source.clone())?;
        match result {
            Ok(served) if self.expect == "ok" => match self.served {
                Some(expected) if expected != served => {
                    Err(format!("{served} certificates are served instead of {expected}"))
                }
                _ => Ok(()),
            },
            Ok(_) => Err(format!("it loads instead of {}", self.expect)),
            Err(error) if error.kind().as_str() == self.expect => Ok(()),
            Err(error) => {
                Err(format!("{} instead of {}: {}", error.kind(), self.expect, error.message()))
            }
        }
    }
}

/// Loads in a thread of its own, so that a hang is a failure and not a hang.
fn within_limit(source: Source) -> Result<Result<u64, LoadError>, String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut loaded = None;
        let memory = allocation_counter::measure(|| {
            loaded = Some(loader().load(&source, Timestamp::now()));
        });
        let served = loaded.unwrap().map(|identity| u64::try_from(identity.chain().len()).unwrap());
        let _ = send.send((served, memory.bytes_max));
    });
    let (served, memory) = receive.recv_timeout(LIMIT).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => format!("it takes more than {LIMIT:?}"),
        mpsc::RecvTimeoutError::Disconnected => "it panics".to_owned(),
    })?;
    if memory > MEMORY {
        return Err(format!("it takes {} MiB of memory", memory >> 20));
    }
    Ok(served)
}

#[test]
fn every_file_of_the_corpus_loads_or_fails_as_it_should() {
    let Some(corpus) = corpus() else { return };
    for missing in corpus.manifest["missing"].as_array().unwrap() {
        jellynet_test::peer::skip(missing.as_str().unwrap());
    }
    let entries = corpus.manifest["files"].as_array().unwrap();
    assert!(entries.len() >= 120, "only {} files", entries.len());
    let failures: Vec<String> = entries
        .iter()
        .map(|entry| Case::new(&corpus.folder, entry))
        .filter_map(|case| {
            case.check().err().map(|why| format!("{} ({}): {why}", case.name, case.maker))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        entries.len(),
        failures.join("\n")
    );
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let Some(corpus) = corpus() else { return };
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus.folder.join("cut"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 300);
    let loader = loader();
    for file in files {
        let source = Source::new(&file).with_password(Password::text("test-Pass1"));
        let error = loader.load(&source, Timestamp::now()).expect_err("it is not whole");
        let kind = error.kind().as_str();
        assert!(matches!(kind, "malformed" | "not-pkcs12"), "{}: {kind}", file.display());
    }
}

#[cfg(feature = "serde")]
#[test]
fn the_report_has_the_shape_that_scripts_rely_on() {
    let Some(corpus) = corpus() else { return };
    let source =
        Source::new(corpus.folder.join("key-rsa.p12")).with_password(Password::text("test-Pass1"));
    let found = inspect(&source, &loader(), Timestamp::now());
    assert_eq!(found.exit_code(), 0);
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["format"], "pkcs12");
    assert_eq!(json["leaf"]["subject"], "CN=example.org");
    assert_eq!(json["leaf"]["issuer"], "CN=Sub");
    assert_eq!(
        json["leaf"]["sans"],
        serde_json::json!(["example.org", "*.example.org", "192.0.2.1"])
    );
    assert!(json["leaf"]["not_before"].as_str().unwrap().ends_with('Z'));
    assert_eq!(json["served_sha256"][0], json["leaf"]["sha256"]);
    assert_eq!(json["served_sha256"].as_array().unwrap().len(), 2);
    assert_eq!(json["key"]["type"], "rsa-2048");
    assert_eq!(json["key"]["spki_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(json["warnings"], serde_json::json!([]));

    let found =
        inspect(&Source::new(corpus.folder.join("keytool.jks")), &loader(), Timestamp::now());
    if let Inspection::Unusable { error } = &found
        && error.kind.as_str() == "not-pkcs12"
    {
        assert_eq!(found.exit_code(), 3);
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["error"]["kind"], "not-pkcs12");
        assert!(json["error"]["message"].as_str().unwrap().contains("keytool -importkeystore"));
    }
}

#[test]
fn warnings_say_what_clients_will_refuse() {
    let Some(corpus) = corpus() else { return };
    let kinds = |file: &str, now: Timestamp| -> Vec<&'static str> {
        let source =
            Source::new(corpus.folder.join(file)).with_password(Password::text("test-Pass1"));
        let identity = loader().load(&source, now).unwrap();
        identity.warnings(now).iter().map(|warning| warning.kind.as_str()).collect()
    };
    let now = Timestamp::now();
    let days = |days: u64| now.plus(Duration::from_secs(days * 86_400));
    assert_eq!(kinds("leaf-only.pem", now), ["incomplete-chain"]);
    assert_eq!(kinds("bare-san.pem", now), ["no-san", "incomplete-chain"]);
    assert_eq!(kinds("p256-both.pem", now), [""; 0]);
    assert_eq!(kinds("p256-both.pem", days(80)), ["expires-soon"]);
    assert_eq!(kinds("p256-both.pem", days(100)), ["expired"]);
    assert_eq!(kinds("p256-both.pem", Timestamp::from_unix(0)), ["not-yet-valid"]);
}

/// Files small enough to be changed often: those that fuzzing starts from.
const SEEDS: [&[u8]; 5] = [
    include_bytes!("../../fuzz/seeds/pkcs12/openssl"),
    include_bytes!("../../fuzz/seeds/pkcs12/ber-legacy"),
    include_bytes!("../../fuzz/seeds/ber/clear"),
    include_bytes!("../../fuzz/seeds/pem/both"),
    include_bytes!("../../fuzz/seeds/pem/encrypted"),
];

proptest! {
    #[test]
    fn whatever_happens_to_a_file_it_loads_or_is_refused(
        seed in 0..SEEDS.len(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut bytes = SEEDS[seed].to_vec();
        for (place, octet) in changes {
            let place = place.index(bytes.len());
            bytes[place] = octet;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut limits = Limits::DEFAULT;
        limits.rounds_each = 4096;
        limits.rounds_total = 16_384;
        let loader = loader().with_limits(limits);
        let now = Timestamp::from_unix(1_800_000_000);
        let _ = loader.decode(&bytes, Some("test-Pass1"), now);
        let _ = loader.decode(&bytes, None, now);
    }
}
