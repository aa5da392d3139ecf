//! The commands of the guide do what it says.

use std::fs;
use std::path::{Path, PathBuf};

use jellynet_test::peer;
use jellynet_tls::{Password, Source, Timestamp};

use crate::support::{folder, loader};

/// The blocks of a page that begin with this fence.
fn blocks(page: &str, fence: &str) -> Vec<String> {
    page.split(&format!("```{fence}\n"))
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect()
}

fn page(name: &str) -> Option<String> {
    let guide: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    fs::read_to_string(guide.join(name)).ok()
}

#[test]
fn the_commands_for_self_signed_certificates_make_one_that_loads() {
    let (Some(page), Some(openssl)) =
        (page("self-signed.md"), peer::find_with("openssl", &["version"]))
    else {
        return;
    };
    let commands = blocks(&page, "sh");
    let with_openssl: Vec<_> =
        commands.iter().filter(|block| block.starts_with("openssl")).collect();
    assert!(!with_openssl.is_empty(), "the page has no openssl commands");
    for (index, block) in with_openssl.into_iter().enumerate() {
        let folder = folder(&format!("guide-self-signed-{index}"));
        let mut shell = std::process::Command::new("sh");
        let done = shell.args(["-e", "-c", block]).current_dir(&folder).output().unwrap();
        assert!(done.status.success(), "{}: {done:?}", openssl.version());
        let source = Source::new(folder.join("server.pfx")).with_password(Password::none());
        let identity = loader().load(&source, Timestamp::now()).unwrap();
        assert_eq!(identity.warnings(Timestamp::now()), []);
    }
}
