//! The strict writer.

use std::fmt::{self, Write};

use bytes::Bytes;

use super::{Details, Message, Notify, NotifyKind, Response, Search};

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
        text.optional("HOST", self.host);
        text.line("MAN", "\"ssdp:discover\"");
        text.optional("MX", self.mx);
        text.line("ST", self.target);
        text.optional("USER-AGENT", self.user_agent);
        text.finish()
    }
}

impl Notify<'_> {
    /// Writes the message as it goes on the wire.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut text = Lines::new("NOTIFY * HTTP/1.1");
        text.optional("HOST", self.host);
        if self.kind == NotifyKind::Alive {
            text.max_age(&self.details);
        }
        text.optional("LOCATION", self.details.location);
        text.line("NT", self.target);
        text.line("NTS", self.kind.as_str());
        text.optional("SERVER", self.details.server);
        text.line("USN", self.usn);
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
        text.optional("LOCATION", self.details.location);
        text.optional("SERVER", self.details.server);
        text.line("ST", self.target);
        text.line("USN", self.usn);
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

    fn line(&mut self, name: &str, value: impl fmt::Display) {
        // Writing into a string cannot fail.
        let _ = write!(self.0, "{name}: {value}\r\n");
    }

    fn optional(&mut self, name: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    fn max_age(&mut self, details: &Details<'_>) {
        if let Some(seconds) = details.max_age {
            self.line("CACHE-CONTROL", format_args!("max-age={seconds}"));
        }
    }

    fn ids(&mut self, details: &Details<'_>) {
        if let Some(nls) = details.nls {
            self.line("OPT", "\"http://schemas.upnp.org/upnp/1/0/\"; ns=01");
            self.line("01-NLS", nls);
        }
        self.optional("BOOTID.UPNP.ORG", details.boot_id);
        self.optional("NEXTBOOTID.UPNP.ORG", details.next_boot_id);
        self.optional("CONFIGID.UPNP.ORG", details.config_id);
        self.optional("SEARCHPORT.UPNP.ORG", details.search_port);
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
