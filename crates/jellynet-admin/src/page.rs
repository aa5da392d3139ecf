//! The page that a server shows while it has nothing else to show.

use std::fmt::{self, Display, Write};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;

/// Colours follow the visitor's system; there is no script, no image and no font to load.
const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{max-width:46rem;margin:3rem auto;padding:0 1rem}\
h1{font-size:1.6rem}h2{font-size:1.1rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}\
td{border-top:1px solid color-mix(in srgb,currentColor 20%,transparent);padding:.4rem .8rem .4rem 0;vertical-align:top}\
td:first-child{white-space:nowrap;opacity:.75}\
code,pre{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}\
pre{padding:.8rem;border:1px solid color-mix(in srgb,currentColor 20%,transparent);border-radius:.4rem;overflow-x:auto}";

/// A page of headed tables and code; every text is escaped.
#[derive(Clone, Debug, Default)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// A page with a title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        let title = Escaped(title).to_string();
        let body = format!("<h1>{title}</h1>\n");
        Self { title, body }
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn paragraph(mut self, text: &str) -> Self {
        self.push(format_args!("<p>{}</p>\n", Escaped(text)));
        self
    }

    /// Adds a headed table with two columns; nothing when there are no rows.
    #[must_use]
    pub fn table(mut self, heading: &str, rows: &[(String, String)]) -> Self {
        if rows.is_empty() {
            return self;
        }
        self.push(format_args!("<h2>{}</h2>\n<table>\n", Escaped(heading)));
        for (name, value) in rows {
            self.push(format_args!(
                "<tr><td>{}</td><td>{}</td></tr>\n",
                Escaped(name),
                Escaped(value)
            ));
        }
        self.push(format_args!("</table>\n"));
        self
    }

    /// Adds a headed piece of configuration.
    #[must_use]
    pub fn code(mut self, heading: &str, text: &str) -> Self {
        self.push(format_args!("<h2>{}</h2>\n<pre>{}</pre>\n", Escaped(heading), Escaped(text)));
        self
    }

    /// Adds a headed list of links, each an address and what to show; nothing when there are none.
    #[must_use]
    pub fn links(mut self, heading: &str, links: &[(String, String)]) -> Self {
        if links.is_empty() {
            return self;
        }
        self.push(format_args!("<h2>{}</h2>\n<ul>\n", Escaped(heading)));
        for (address, text) in links {
            let (address, text) = (Escaped(address), Escaped(text));
            self.push(format_args!("<li><a href=\"{address}\">{text}</a></li>\n"));
        }
        self.push(format_args!("</ul>\n"));
        self
    }

    fn push(&mut self, part: fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.body.write_fmt(part);
    }

    /// The page as a response that no cache keeps and that can load and run nothing.
    #[must_use]
    pub fn into_response(self) -> Response<Full<Bytes>> {
        self.into_html().map(Full::new)
    }

    /// As [`Self::into_response`], with the bytes for whoever has a body type of his own.
    #[must_use]
    pub fn into_html(self) -> Response<Bytes> {
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>\
             <style>{STYLE}</style></head>\n<body>\n{}</body>\n</html>\n",
            self.title, self.body
        );
        let mut response = Response::new(Bytes::from(html));
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            ),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Text that is safe between tags and in quoted attributes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let evil = "<script>\"&'</script>";
        let page = Page::new(evil)
            .paragraph(evil)
            .table(evil, &[(evil.to_owned(), evil.to_owned())])
            .links(evil, &[(evil.to_owned(), evil.to_owned())])
            .code(evil, evil);
        assert!(!page.body.contains("<script"), "{}", page.body);
        assert!(!page.body.contains("\"\""), "no attribute ends early: {}", page.body);
        assert!(page.body.contains("&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;"));
    }

    #[test]
    fn an_empty_table_is_left_out() {
        let page = Page::new("t").table("nothing", &[]).links("nothing", &[]);
        assert!(!page.body.contains("nothing"));
    }
}
