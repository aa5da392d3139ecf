//! XML that cannot be broken by what is written into it.

/// Writes elements; every text is escaped.
pub(super) struct Writer<'a> {
    out: String,
    base: &'a str,
}

impl<'a> Writer<'a> {
    pub(super) fn new(base: &'a str) -> Self {
        let mut out = String::with_capacity(4096);
        out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
        Self { out, base }
    }

    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(&mut self.out, value);
            self.out.push('"');
        }
        self.out.push('>');
    }

    pub(super) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.open(name, &[]);
        escape(&mut self.out, text);
        self.close(name);
    }

    pub(super) fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A URL; one that begins with `/` goes below the base.
    pub(super) fn url(&mut self, name: &str, url: Option<&str>) {
        match url {
            Some(path) if path.starts_with('/') => {
                let absolute = format!("{}{path}", self.base);
                self.text(name, &absolute);
            }
            other => self.optional(name, other),
        }
    }

    /// A list, where there is something in it.
    pub(super) fn list<T>(&mut self, name: &str, items: &[T], write: impl Fn(&T, &mut Self)) {
        if items.is_empty() {
            return;
        }
        self.open(name, &[]);
        for item in items {
            write(item, self);
        }
        self.close(name);
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push('\n');
        self.out
    }
}

/// Escapes text for an element or an attribute; what XML 1.0 § 2.2 does not have, and line
/// breaks, become spaces.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element() {
        let mut xml = Writer::new("http://10.0.0.1");
        xml.open("a", &[("b", "\"><x>")]);
        xml.text("c", "Tom & <Jerry> \"'\u{0}\r\n\u{ffff}");
        xml.url("d", Some("/e?f&g"));
        xml.close("a");
        assert_eq!(
            xml.finish().lines().nth(1).unwrap(),
            "<a b=\"&quot;&gt;&lt;x&gt;\"><c>Tom &amp; &lt;Jerry&gt; &quot;&apos;    </c>\
             <d>http://10.0.0.1/e?f&amp;g</d></a>"
        );
    }
}
