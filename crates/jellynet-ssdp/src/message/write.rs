//! The strict writer.

use bytes::Bytes;

use super::{Details, FieldValue, Message, Notify, NotifyKind, Response, Search};

impl Message<'_> {
    /// Writes the message as it goes on the wire.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Search(search) => search.encode(),
            Self::Notify(notify) => notify.encode(),
            Self::Response(response) => response.encode(),
        }
    }
}

impl Search<'_> {
    /// Writes the message as it goes on the wire.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        encoded(|text| {
            text.start("M-SEARCH * HTTP/1.1");
            text.field("HOST", self.host);
            text.text("MAN", "\"ssdp:discover\"");
            text.number("MX", self.mx);
            text.text("ST", self.target.as_str());
            text.field("USER-AGENT", self.user_agent);
        })
    }
}

impl Notify<'_> {
    /// Writes the message as it goes on the wire.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        encoded(|text| {
            text.start("NOTIFY * HTTP/1.1");
            text.field("HOST", self.host);
            if self.kind == NotifyKind::Alive {
                text.max_age(&self.details);
            }
            text.field("LOCATION", self.details.location);
            text.text("NT", self.target.as_str());
            text.text("NTS", self.kind.as_str());
            text.field("SERVER", self.details.server);
            text.text("USN", self.usn.as_str());
            text.ids(&self.details);
        })
    }
}

impl Response<'_> {
    /// Writes the message as it goes on the wire, with the empty `EXT` that UPnP Device
    /// Architecture 2.0 § 1.3.3 asks for and some control points insist on.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        encoded(|text| self.lines(text))
    }

    /// The same, behind what stands in `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.lines(&mut Lines(out));
        out.extend_from_slice(b"\r\n");
    }

    fn lines(&self, text: &mut Lines<'_>) {
        text.start("HTTP/1.1 200 OK");
        text.max_age(&self.details);
        text.start("EXT:");
        text.field("LOCATION", self.details.location);
        text.field("SERVER", self.details.server);
        text.text("ST", self.target.as_str());
        text.text("USN", self.usn.as_str());
        text.ids(&self.details);
    }
}

/// A message of its own, with room for 512 bytes, the length that each should keep to.
fn encoded(write: impl FnOnce(&mut Lines<'_>)) -> Bytes {
    let mut text = Vec::with_capacity(512);
    write(&mut Lines(&mut text));
    text.extend_from_slice(b"\r\n");
    Bytes::from(text)
}

struct Lines<'a>(&'a mut Vec<u8>);

impl Lines<'_> {
    /// A line as it is.
    fn start(&mut self, line: &str) {
        self.0.extend_from_slice(line.as_bytes());
        self.0.extend_from_slice(b"\r\n");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.0.reserve(name.len().saturating_add(value.len()).saturating_add(4));
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value.as_bytes());
        self.0.extend_from_slice(b"\r\n");
    }

    fn field(&mut self, name: &str, value: Option<FieldValue<'_>>) {
        if let Some(value) = value {
            self.text(name, value.as_str());
        }
    }

    fn number(&mut self, name: &str, value: Option<u32>) {
        if let Some(value) = value {
            self.text(name, Decimal::new(value).as_str());
        }
    }

    fn max_age(&mut self, details: &Details<'_>) {
        if let Some(seconds) = details.max_age {
            self.0.extend_from_slice(b"CACHE-CONTROL: max-age=");
            self.start(Decimal::new(seconds).as_str());
        }
    }

    fn ids(&mut self, details: &Details<'_>) {
        if let Some(nls) = details.nls {
            self.text("OPT", "\"http://schemas.upnp.org/upnp/1/0/\"; ns=01");
            self.number("01-NLS", Some(nls));
        }
        self.number("BOOTID.UPNP.ORG", details.boot_id);
        self.number("NEXTBOOTID.UPNP.ORG", details.next_boot_id);
        self.number("CONFIGID.UPNP.ORG", details.config_id);
        self.number("SEARCHPORT.UPNP.ORG", details.search_port.map(u32::from));
    }
}

/// A number in decimal, without the machinery of formatting, which takes longer than all the rest
/// of a message.
struct Decimal {
    digits: [u8; 10],
    from: usize,
}

impl Decimal {
    fn new(mut value: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut from = digits.len();
        for digit in digits.iter_mut().rev() {
            from = from.saturating_sub(1);
            *digit |= u8::try_from(value % 10).unwrap_or_default();
            value /= 10;
            if value == 0 {
                break;
            }
        }
        Self { digits, from }
    }

    fn as_str(&self) -> &str {
        let digits = self.digits.get(self.from..).unwrap_or_default();
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

impl<'a> From<Search<'a>> for Message<'a> {
    fn from(search: Search<'a>) -> Self {
        Self::Search(search)
    }
}

impl<'a> From<Notify<'a>> for Message<'a> {
    fn from(notify: Notify<'a>) -> Self {
        Self::Notify(notify)
    }
}

impl<'a> From<Response<'a>> for Message<'a> {
    fn from(response: Response<'a>) -> Self {
        Self::Response(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 1, 9, 10, 1800, 49152, 0x7fff_ffff, u32::MAX] {
            assert_eq!(Decimal::new(number).as_str(), number.to_string());
        }
    }
}
