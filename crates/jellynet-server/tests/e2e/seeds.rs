//! The fuzz targets, over what fuzzing starts from: on a stable compiler, so that neither rots.

#![expect(clippy::disallowed_methods, reason = "the targets are programs of their own")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../../jellynet-tls/fuzz/fuzz_targets/ber.rs"]
mod ber;
#[path = "../../../jellynet-upstream/fuzz/fuzz_targets/chunked.rs"]
mod chunked;
#[path = "../../../jellynet-discovery/fuzz/fuzz_targets/datagram.rs"]
mod datagram;
#[path = "../../../jellynet-ssdp/fuzz/fuzz_targets/description.rs"]
mod description;
#[path = "../../../jellynet-ssdp/fuzz/fuzz_targets/engines.rs"]
mod engines;
#[path = "../../../jellynet-forwarded/fuzz/fuzz_targets/forwarded.rs"]
mod forwarded;
#[path = "../../../jellynet-access/fuzz/fuzz_targets/lists.rs"]
mod lists;
#[path = "../../../jellynet-ssdp/fuzz/fuzz_targets/message.rs"]
mod message;
#[path = "../../../jellynet-published/fuzz/fuzz_targets/overrides.rs"]
mod overrides;
#[path = "../../../jellynet-tls/fuzz/fuzz_targets/pem.rs"]
mod pem;
#[path = "../../../jellynet-tls/fuzz/fuzz_targets/pkcs12.rs"]
mod pkcs12;
#[path = "../../../jellynet-forwarded/fuzz/fuzz_targets/proxy_protocol.rs"]
mod proxy_protocol;
#[path = "../../../jellynet-upstream/fuzz/fuzz_targets/response.rs"]
mod response;
#[path = "../../../jellynet-base-url/fuzz/fuzz_targets/route.rs"]
mod route;
#[path = "../../../jellynet-netif/fuzz/fuzz_targets/subnets.rs"]
mod subnets;
#[path = "../../../jellynet-settings/fuzz/fuzz_targets/toml.rs"]
mod toml;
#[path = "../../../jellynet-tuner/fuzz/fuzz_targets/ts.rs"]
mod ts;
#[path = "../../../jellynet-tuner/fuzz/fuzz_targets/wire.rs"]
mod wire;
#[path = "../../../jellynet-forwarded/fuzz/fuzz_targets/x_forwarded_for.rs"]
mod x_forwarded_for;

type Target = fn(&[u8]);

const TARGETS: &[(&str, &str, Target)] = &[
    ("access", "lists", lists::run),
    ("base-url", "route", route::run),
    ("discovery", "datagram", datagram::run),
    ("forwarded", "forwarded", forwarded::run),
    ("forwarded", "proxy_protocol", proxy_protocol::run),
    ("forwarded", "x_forwarded_for", x_forwarded_for::run),
    ("netif", "subnets", subnets::run),
    ("published", "overrides", overrides::run),
    ("settings", "toml", toml::run),
    ("ssdp", "description", description::run),
    ("ssdp", "engines", engines::run),
    ("ssdp", "message", message::run),
    ("tls", "ber", ber::run),
    ("tls", "pem", pem::run),
    ("tls", "pkcs12", pkcs12::run),
    ("tuner", "ts", ts::run),
    ("tuner", "wire", wire::run),
    ("upstream", "chunked", chunked::run),
    ("upstream", "response", response::run),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_seed_is_good_for_its_target() {
    for (name, target, run) in TARGETS {
        let seeds = root().join(format!("crates/jellynet-{name}/fuzz/seeds/{target}"));
        assert_ne!(jellynet_test::seeds::run(&seeds, *run), 0, "{name}: no seed for {target}");
    }
}

/// The names of the files, or folders, in a folder of each crate.
fn listed(folder: &str) -> BTreeSet<(String, String)> {
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let mut found = BTreeSet::new();
    for path in crates {
        let Ok(files) = fs::read_dir(path.join("fuzz").join(folder)) else { continue };
        let name = path.file_name().unwrap().to_string_lossy().replace("jellynet-", "");
        let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
        found.extend(files.map(|file| (name.clone(), stem(file.unwrap().path()))));
    }
    found
}

#[test]
fn no_target_is_forgotten() {
    let here: BTreeSet<_> = TARGETS
        .iter()
        .map(|(name, target, _)| ((*name).to_owned(), (*target).to_owned()))
        .collect();
    assert_eq!(here, listed("fuzz_targets"));
    assert_eq!(here, listed("seeds"));
    let page = fs::read_to_string(root().join("docs/FUZZING.md")).unwrap();
    for (name, target) in here {
        let manifest = format!("crates/jellynet-{name}/fuzz/Cargo.toml");
        let manifest = fs::read_to_string(root().join(manifest)).unwrap();
        assert!(manifest.contains(&format!("name = \"{target}\"\n")), "{name}: {target}");
        let row = |line: &str| {
            line.starts_with(&format!("| {name} |")) && line.contains(&format!("`{target}`"))
        };
        assert!(page.lines().any(row), "docs/FUZZING.md does not name {target} of {name}");
    }
}
