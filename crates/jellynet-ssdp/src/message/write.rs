//! The strict writer.

use std::fmt::Write;

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
        let mut text = Lines::new("M-SEARCH * HTTP/1.1");
        text.field("HOST", self.host);
        text.text("MAN", "\"ssdp:discover\"");
        text.number("MX", self.mx);
        text.text("ST", self.target.as_str());
        text.field("USER-AGENT", self.user_agent);
        text.finish()
    }
}

impl Notify<'_> {
    /// Writes the message as it goes on the wire.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut text = Lines::new("NOTIFY * HTTP/1.1");
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
        text.finish()
    }
}

impl Response<'_> {
    /// Writes the message as it goes on the wire, with the empty `EXT` that UPnP Device
    /// Architecture 2.0 § 1.3.3 asks for and some control points insist on.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut text = Lines::new("HTTP/1.1 200 OK");
        text.max_age(&self.details);
        text.0.push_str("EXT:\r\n");
        text.field("LOCATION", self.details.location);
        text.field("SERVER", self.details.server);
        text.text("ST", self.target.as_str());
        text.text("USN", self.usn.as_str());
        text.ids(&self.details);
        text.finish()
    }
}

/// The start of a message for 512 bytes, the length that each should keep to.
struct Lines(String);

impl Lines {
    fn new(start: &str) -> Self {
        let mut text = String::with_capacity(512);
        text.push_str(start);
        text.push_str("\r\n");
        Self(text)
    }

    fn text(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\r\n"] {
            self.0.push_str(part);
        }
    }

    fn field(&mut self, name: &str, value: Option<FieldValue<'_>>) {
        if let Some(value) = value {
            self.text(name, value.as_str());
        }
    }

    fn number(&mut self, name: &str, value: Option<u32>) {
        if let Some(value) = value {
            // Writing into a string cannot fail.
            let _ = write!(self.0, "{name}: {value}\r\n");
        }
    }

    fn max_age(&mut self, details: &Details<'_>) {
        if let Some(seconds) = details.max_age {
            let _ = write!(self.0, "CACHE-CONTROL: max-age={seconds}\r\n");
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

    fn finish(mut self) -> Bytes {
        self.0.push_str("\r\n");
        Bytes::from(self.0)
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
