//! Reads the descriptions of others, leniently.

use std::borrow::Cow;

/// The most characters of one text.
const MOST_TEXT: usize = 256;

/// What a description says of its root device, for people to read.
///
/// # Security
///
/// All of it is a stranger's word. Texts are bounded to 256 characters and free of control
/// characters; they are not checked for anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Its name.
    pub friendly_name: Option<String>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// What it is.
    pub model_name: Option<String>,
    /// Which version of that.
    pub model_number: Option<String>,
    /// The type of the device.
    pub device_type: Option<String>,
    /// Its identifier, `uuid:…`.
    pub udn: Option<String>,
}

impl Summary {
    /// Reads the root device of a description; `None` when there is none.
    ///
    /// Namespaces, attributes, the order of elements and what is not closed do not matter; text
    /// that is not UTF-8 is read as far as it can be.
    ///
    /// # Examples
    ///
    /// ```
    /// use jellynet_ssdp::description::Summary;
    ///
    /// let xml = b"<root><device><friendlyName>Tom &amp; Ann</friendlyName></device></root>";
    /// let summary = Summary::read(xml).unwrap();
    /// assert_eq!(summary.friendly_name.as_deref(), Some("Tom & Ann"));
    /// ```
    #[must_use]
    pub fn read(xml: &[u8]) -> Option<Self> {
        let mut reader = Reader::default();
        let text = String::from_utf8_lossy(xml);
        let mut rest = &*text;
        while let Some((before, after)) = rest.split_once('<') {
            reader.text(before, true);
            let (end, raw) = match after {
                _ if after.starts_with("!--") => ("-->", false),
                _ if after.starts_with("![CDATA[") => ("]]>", true),
                _ => (">", false),
            };
            let Some((inside, after)) = after.split_once(end) else {
                break;
            };
            if raw {
                reader.text(inside.trim_start_matches("![CDATA["), false);
            } else if end == ">" {
                reader.tag(inside);
            }
            rest = after;
        }
        reader.summary
    }

    /// Whether this is a Jellyfin server, or something that gives itself out as one.
    #[must_use]
    pub fn is_jellyfin(&self) -> bool {
        let is = |text: &Option<String>| {
            let start = text.as_deref().and_then(|text| text.get(..8));
            start.is_some_and(|start| start.eq_ignore_ascii_case("jellyfin"))
        };
        is(&self.manufacturer) || is(&self.model_name)
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "friendlyName" => &mut self.friendly_name,
            "manufacturer" => &mut self.manufacturer,
            "modelName" => &mut self.model_name,
            "modelNumber" => &mut self.model_number,
            "deviceType" => &mut self.device_type,
            "UDN" => &mut self.udn,
            _ => return None,
        })
    }
}

/// Where in the text a reader is.
#[derive(Debug, Default)]
struct Reader {
    /// There is one from the first device on.
    summary: Option<Summary>,
    /// How many lists of embedded devices are open.
    lists: usize,
    /// The text of the element that was opened last.
    inside: String,
}

impl Reader {
    fn text(&mut self, text: &str, escaped: bool) {
        let room = MOST_TEXT.saturating_sub(self.inside.chars().count());
        if room > 0 && self.summary.is_some() {
            let text = if escaped { unescape(text) } else { Cow::Borrowed(text) };
            let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            self.inside.extend(printable.take(room));
        }
    }

    fn tag(&mut self, tag: &str) {
        let (name, closes) = match tag.strip_prefix('/') {
            Some(name) => (name, true),
            None => (tag, false),
        };
        let is_empty = !closes && name.ends_with('/');
        let name = name.split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default();
        match (name, closes) {
            ("device", false) if self.summary.is_none() => self.summary = Some(Summary::default()),
            ("deviceList", false) if !is_empty => self.lists += 1,
            ("deviceList", true) => self.lists = self.lists.saturating_sub(1),
            (name, true) if self.lists == 0 => self.keep(name),
            _ => {}
        }
        self.inside.clear();
    }

    /// The first of a kind counts.
    fn keep(&mut self, name: &str) {
        let text = self.inside.trim();
        let field = self.summary.as_mut().and_then(|summary| summary.field(name));
        if let Some(field) = field.filter(|field| field.is_none() && !text.is_empty()) {
            *field = Some(text.to_owned());
        }
    }
}

/// Resolves the references of XML; others stay as they are.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        // The longest is `&#x10FFFF;`.
        let end = after.bytes().take(9).position(|byte| byte == b';');
        let reference = end.and_then(|end| Some((character(after.get(..end)?)?, end + 1)));
        let (character, length) = reference.unwrap_or(('&', 0));
        out.push(character);
        rest = after.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn character(name: &str) -> Option<char> {
    let number = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let number = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    char::from_u32(number.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(xml: &str) -> Option<String> {
        Summary::read(xml.as_bytes())?.friendly_name
    }

    #[test]
    fn names_are_read_however_they_are_written() {
        for (xml, expected) in [
            ("<device><friendlyName>a</friendlyName></device>", Some("a")),
            ("<device><friendlyName>\r\n  a b\t</friendlyName>", Some("a b")),
            ("<n:device><n:friendlyName x='1'>a</n:friendlyName>", Some("a")),
            ("<device><friendlyName>a &amp; b &#x263A;&#65;</friendlyName>", Some("a & b ☺A")),
            ("<device><friendlyName>a & b &nbsp; c</friendlyName>", Some("a & b &nbsp; c")),
            ("<device><friendlyName><![CDATA[a & <b>]]></friendlyName>", Some("a & <b>")),
            (
                "<device><!-- <friendlyName>x</friendlyName> --><friendlyName>a</friendlyName>",
                Some("a"),
            ),
            ("<device><friendlyName/><friendlyName>a</friendlyName>", Some("a")),
            // That of an embedded device is not that of the root, wherever the list stands.
            (
                "<device><deviceList><device><friendlyName>x</friendlyName></device></deviceList>\
                 <friendlyName>a</friendlyName>",
                Some("a"),
            ),
            ("<device><friendlyName>a\u{7}\u{1b}[31m</friendlyName>", Some("a  [31m")),
            ("<device><friendlyName></friendlyName></device>", None),
            ("<device><friendlyName>a", None),
            ("<friendlyName>a</friendlyName>", None),
            ("<html><body>404</body></html>", None),
            ("", None),
        ] {
            assert_eq!(name(xml).as_deref(), expected, "{xml}");
        }
        let long = format!("<device><friendlyName>{}</friendlyName>", "ä".repeat(10_000));
        assert_eq!(name(&long).unwrap().chars().count(), MOST_TEXT);
    }

    #[test]
    fn our_own_description_is_one_of_jellyfin() {
        let uuid = crate::Uuid::from_bytes([7; 16]);
        let description = crate::description::Description::media_server(uuid, "Tom's <TV> & more");
        let summary = Summary::read(description.to_xml("http://10.0.0.5:8096").as_bytes()).unwrap();
        assert_eq!(summary.friendly_name.as_deref(), Some("Tom's <TV> & more"));
        assert_eq!(summary.udn, Some(format!("uuid:{uuid}")));
        assert!(summary.is_jellyfin());
        let other = Summary::read(b"<device><manufacturer>Justin Maggard</manufacturer>").unwrap();
        assert!(!other.is_jellyfin());
    }
}
