//! Any configuration file and environment: no panic, and every problem says where it stands.

#![cfg_attr(fuzzing, no_main)]

use std::convert::Infallible;
use std::path::Path;

use jellynet_settings::Settings;
use libfuzzer_sys::fuzz_target;

const KEYS: &[&str] = &["name", "a.b", "a.list", "a.time", "table[].url", "table[].on"];

// Lines up to the first that is empty are variables, `NAME=value`; the rest is a file.
fuzz_target!(|text: &str| {
    let (variables, file) = text.split_once("\n\n").unwrap_or(("", text));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let mut settings = Settings::new(KEYS);
    settings.add_toml(file, Path::new("x.toml"));
    settings.add_environment("X", variables.map(|(name, value)| (name.into(), value.into())));
    let name = settings.text("name");
    assert_eq!(name.is_some(), settings.is_set("name") && settings.text("name").is_some());
    let _ = (settings.bool("a.b"), settings.duration("a.time"), settings.elements("a.list"));
    settings.list("a.list", |text| Ok::<_, Infallible>(text.to_owned()));
    for at in 0..settings.tables("table").min(64) {
        let _ = settings.text(&format!("table[{at}].url"));
        let _ = settings.bool(&format!("table[{at}].on"));
    }
    for (key, _) in settings.origins() {
        assert!(!key.is_empty());
    }
});
