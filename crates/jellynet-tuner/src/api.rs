//! The device's HTTP API: what it is, and which channels it has.
//!
//! Only the device itself is asked, at an address that answered to discovery, whatever URL it
//! states; redirects are not followed, and answers beyond 4 MiB are refused.

mod fetch;

use std::time::Duration;

use serde::Deserialize;

pub use self::fetch::FetchError;
use crate::discover::Device;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why the API did not tell.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The device has no address.
    #[error("the address of the device is not known")]
    NoAddress,
    /// The answer did not come.
    #[error("cannot fetch {url}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why.
        source: FetchError,
    },
    /// The answer is no JSON of the expected form.
    #[error("{url} is malformed at line {line}, column {column}")]
    Malformed {
        /// What was asked for.
        url: String,
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
    },
}

/// The content of `/discover.json`. Fields that a model lacks are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct DeviceInfo {
    /// What its owner calls it.
    pub friendly_name: String,
    /// Its model.
    pub model_number: String,
    /// Its firmware.
    pub firmware_name: String,
    /// The version of that.
    pub firmware_version: String,
    /// Its id, as text.
    #[serde(rename = "DeviceID")]
    pub device_id: String,
    /// How many tuners.
    pub tuner_count: u8,
    /// The root of the API.
    #[serde(rename = "BaseURL")]
    pub base_url: String,
    /// The channel list.
    #[serde(rename = "LineupURL")]
    pub lineup_url: String,
}

/// One channel of `/lineup.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct LineupChannel {
    /// Its number, such as `5.1`; tune it as `v5.1`.
    pub guide_number: String,
    /// Its name.
    pub guide_name: String,
    /// Its video codec.
    pub video_codec: String,
    /// Its audio codec.
    pub audio_codec: String,
    /// Whether it is in high definition.
    #[serde(rename = "HD", deserialize_with = "flag")]
    pub hd: bool,
    /// Whether its owner likes it.
    #[serde(deserialize_with = "flag")]
    pub favorite: bool,
    /// Whether it is encrypted, and only the vendor's own programs may play it.
    #[serde(rename = "DRM", deserialize_with = "flag")]
    pub drm: bool,
    /// Its HTTP stream; `hdhomerun://…` on legacy devices.
    #[serde(rename = "URL")]
    pub url: String,
}

/// The API has 0 and 1 for no and yes; emulators have booleans.
fn flag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Number(u64),
        Boolean(bool),
    }
    Ok(match Flag::deserialize(deserializer)? {
        Flag::Number(number) => number != 0,
        Flag::Boolean(boolean) => boolean,
    })
}

impl DeviceInfo {
    /// Reads the text of `/discover.json`.
    ///
    /// # Errors
    ///
    /// [`ApiError::Malformed`]; `url` says whose.
    pub fn parse(url: &str, json: &[u8]) -> Result<Self, ApiError> {
        parse(url, json)
    }
}

impl LineupChannel {
    /// Reads the text of `/lineup.json`.
    ///
    /// # Errors
    ///
    /// [`ApiError::Malformed`]; `url` says whose.
    pub fn parse_all(url: &str, json: &[u8]) -> Result<Vec<Self>, ApiError> {
        parse(url, json)
    }
}

/// Asks a device what it is.
///
/// # Errors
///
/// [`ApiError`]; a legacy device without the API fails to connect or answers 404.
pub async fn device_info(device: &Device) -> Result<DeviceInfo, ApiError> {
    let (url, json) = get(device, "discover.json").await?;
    DeviceInfo::parse(&url, &json)
}

/// Asks a device for its channels.
///
/// # Errors
///
/// [`ApiError`], as for [`device_info`].
pub async fn lineup(device: &Device) -> Result<Vec<LineupChannel>, ApiError> {
    let (url, json) = get(device, "lineup.json").await?;
    LineupChannel::parse_all(&url, &json)
}

async fn get(device: &Device, path: &str) -> Result<(String, bytes::Bytes), ApiError> {
    let root = device.api_root().ok_or(ApiError::NoAddress)?;
    let url = format!("{root}/{path}");
    match fetch::fetch(&url, TIMEOUT).await {
        Ok(json) => Ok((url, json)),
        Err(source) => Err(ApiError::Fetch { url, source }),
    }
}

fn parse<T: for<'de> Deserialize<'de>>(url: &str, json: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(json).map_err(|error| ApiError::Malformed {
        url: url.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_device_are_read() {
        let modern = br#"{"FriendlyName":"HDHomeRun FLEX","ModelNumber":"HDFX-4US",
            "DeviceID":"1322F2F9","DeviceAuth":"x","TunerCount":4,
            "BaseURL":"http://10.0.0.5","LineupURL":"http://10.0.0.5/lineup.json","New":{}}"#;
        let info = DeviceInfo::parse("u", modern).unwrap();
        assert_eq!((info.tuner_count, info.device_id.as_str()), (4, "1322F2F9"));
        let legacy = DeviceInfo::parse("u", br#"{"DeviceID":"1012873A","TunerCount":2}"#).unwrap();
        assert_eq!(legacy.lineup_url, "");
        let error = DeviceInfo::parse("u", b"<html>").unwrap_err();
        assert_eq!(error.to_string(), "u is malformed at line 1, column 1");
    }

    #[test]
    fn flags_are_numbers_or_booleans() {
        let json = br#"[{"GuideNumber":"5.1","GuideName":"KTST","HD":1,"Favorite":0,
            "URL":"http://10.0.0.5:5004/auto/v5.1"},{"GuideNumber":"7","DRM":true}]"#;
        let lineup = LineupChannel::parse_all("u", json).unwrap();
        let flags: Vec<_> = lineup.iter().map(|c| (c.hd, c.favorite, c.drm)).collect();
        assert_eq!(flags, [(true, false, false), (false, false, true)]);
    }
}
