//! The rules of the house, read from the manifests and sources: who may import whom, and how
//! large a file may grow. See docs/ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// L0: imports no crate of ours.
const FOUNDATION: &str = "jellynet-netif";
/// Stands only under `[dev-dependencies]`, is never published.
const TEST: &str = "jellynet-test";
/// L2: import all.
const TOP: &[&str] = &["jellynet-gateway", "jellynet-server"];
/// L1 crates that import nothing of ours.
const ALONE: &[&str] = &["jellynet-base-url", "jellynet-settings", "jellynet-tls"];
/// L1 crates that import the foundation without its sockets and its runtime.
const PURE: &[&str] = &["jellynet-access", "jellynet-forwarded", "jellynet-published"];
/// What no engine may bring in when it is built without features.
const RUNTIMES: &[&str] = &["tokio", "hyper", "mio"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn manifests() -> BTreeMap<String, Table> {
    let folders = fs::read_dir(root().join("crates")).expect("the folder crates");
    folders
        .filter_map(|entry| {
            let path = entry.expect("an entry of crates").path().join("Cargo.toml");
            let text = fs::read_to_string(&path).ok()?;
            let manifest: Table = text.parse().expect("a manifest");
            let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
            Some((name, manifest))
        })
        .collect()
}

/// Every normal and build dependency, target tables included, with its entry.
fn dependencies(manifest: &Table) -> Vec<(String, Value)> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(Value::as_table) {
        tables.extend(targets.values().filter_map(Value::as_table));
    }
    let of =
        |t: &Table, kind: &str| t.get(kind).and_then(Value::as_table).cloned().unwrap_or_default();
    tables
        .iter()
        .flat_map(|t| ["dependencies", "build-dependencies"].map(|kind| of(t, kind)))
        .flatten()
        .collect()
}

fn ours(manifest: &Table) -> BTreeSet<String> {
    let names = dependencies(manifest).into_iter().map(|(name, _)| name);
    names.filter(|name| name.starts_with("jellynet-")).collect()
}

fn has_feature(entry: &Value, feature: &str) -> bool {
    let features = entry.get("features").and_then(Value::as_array);
    features.is_some_and(|f| f.iter().any(|f| f.as_str() == Some(feature)))
}

#[test]
fn crates_import_only_what_their_layer_may() {
    let mut wrong = Vec::new();
    for (name, manifest) in manifests() {
        let ours = ours(&manifest);
        let allowed: &[&str] = match name.as_str() {
            top if TOP.contains(&top) => continue,
            FOUNDATION => &[],
            alone if ALONE.contains(&alone) => &[],
            _ => &[FOUNDATION],
        };
        let forbidden: Vec<_> = ours.iter().filter(|d| !allowed.contains(&d.as_str())).collect();
        if !forbidden.is_empty() {
            wrong.push(format!("{name} imports {forbidden:?}, but may import only {allowed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_test_crate_stands_only_under_dev_dependencies_and_is_not_published() {
    let manifests = manifests();
    for (name, manifest) in &manifests {
        assert!(!ours(manifest).contains(TEST), "{name} imports {TEST} outside dev-dependencies");
    }
    assert_eq!(manifests[TEST]["package"]["publish"].as_bool(), Some(false));
}

#[test]
fn pure_crates_take_the_foundation_without_sockets() {
    let table: Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let shared = &table["workspace"]["dependencies"][FOUNDATION];
    assert_eq!(
        shared["default-features"].as_bool(),
        Some(false),
        "the shared entry of {FOUNDATION}"
    );
    for (name, manifest) in manifests() {
        for (dependency, entry) in dependencies(&manifest) {
            if PURE.contains(&name.as_str()) && dependency == FOUNDATION {
                let widened = ["os", "tokio"].iter().find(|f| has_feature(&entry, f));
                assert_eq!(widened, None, "{name} widens {FOUNDATION}");
            }
        }
    }
}

#[test]
fn engines_bring_in_no_runtime_unless_asked() {
    for name in [FOUNDATION, "jellynet-discovery", "jellynet-ssdp", "jellynet-tuner"] {
        let Some(manifest) = manifests().remove(name) else {
            continue;
        };
        for (dependency, entry) in dependencies(&manifest) {
            let optional = entry.get("optional").and_then(Value::as_bool) == Some(true);
            assert!(
                optional || !RUNTIMES.contains(&dependency.as_str()),
                "{name} always brings in {dependency}"
            );
        }
    }
}

#[test]
fn every_crate_says_what_it_is_and_can_be_shown() {
    for (name, manifest) in manifests() {
        let package = &manifest["package"];
        for key in ["description", "readme", "license", "rust-version", "edition"] {
            assert!(package.get(key).is_some(), "{name} has no {key}");
        }
        let readme = root().join("crates").join(&name).join("README.md");
        let text =
            fs::read_to_string(&readme).unwrap_or_else(|e| panic!("{}: {e}", readme.display()));
        assert!(
            text.lines().count() > 10 || name == TEST,
            "{name}: the README says next to nothing"
        );
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{name} has lints of its own"
        );
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|e| e.expect("an entry").path()) {
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Lines up to the unit tests, and all lines.
fn lines(path: &Path) -> (usize, usize) {
    let text = fs::read_to_string(path).expect("a source file");
    let code = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
    (code, text.lines().count())
}

#[test]
fn files_stay_within_their_budgets() {
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    for folder in ["crates", "examples", "benches"] {
        sources(&root().join(folder), &mut files);
    }
    for path in files {
        let (code, all) = lines(&path);
        let is_test = path
            .components()
            .any(|c| ["tests", "benches", "examples", "fuzz"].iter().any(|f| c.as_os_str() == *f));
        if all > 800 || (!is_test && code > 400) {
            wrong.push(format!("{}: {code} lines of code, {all} in all", path.display()));
        }
    }
    let mut server = Vec::new();
    sources(&root().join("crates/jellynet-server/src"), &mut server);
    let total: usize = server.iter().map(|p| lines(p).0).sum();
    if total > 1500 {
        wrong.push(format!("the binary has {total} lines; it only puts the crates together"));
    }
    let main = lines(&root().join("crates/jellynet-server/src/main.rs")).1;
    if main > 60 {
        wrong.push(format!("main.rs has {main} lines"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
