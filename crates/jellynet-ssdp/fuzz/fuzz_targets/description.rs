//! The description of a stranger: no panic, and every text is short and fit for a terminal.

#![cfg_attr(fuzzing, no_main)]

use jellynet_ssdp::Uuid;
use jellynet_ssdp::description::{Description, Summary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(summary) = Summary::read(bytes) {
        let texts = [&summary.friendly_name, &summary.manufacturer, &summary.model_name];
        for text in texts.into_iter().flatten() {
            assert!(!text.is_empty() && text.chars().count() <= 256);
            assert!(!text.contains(char::is_control) && text.trim() == text);
        }
        let _ = summary.is_jellyfin();
    }
    // A name of ours is read as it was meant, but for what XML or people cannot have.
    let name: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    let name = name.trim();
    if !name.is_empty() && name.chars().count() <= 256 && !name.contains(['\u{fffe}', '\u{ffff}']) {
        let uuid = Uuid::from_bytes([7; 16]);
        let xml = Description::media_server(uuid, name).to_xml("http://10.0.0.5:8096");
        let summary = Summary::read(xml.as_bytes()).unwrap();
        assert_eq!(summary.friendly_name.as_deref(), Some(name));
    }
});
