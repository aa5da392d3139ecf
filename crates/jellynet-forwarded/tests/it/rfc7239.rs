//! The walk over `Forwarded`, row by row.

use crate::request::{forwarded, origin, resolve, who};

const KNOWN: &[&str] = &["10.0.0.0/24"];

#[test]
fn elements_are_walked_from_the_right() {
    for (lines, who_, origin_, why) in [
        (
            &["for=1.2.3.4;proto=https;host=tv.example"][..],
            "1.2.3.4 forwarded/1",
            "https://tv.example",
            "one element",
        ),
        (
            &["for=6.6.6.6;host=evil.example, for=1.2.3.4;proto=https"],
            "1.2.3.4 forwarded/1",
            "https://own.lan",
            "an element's parameters stay together",
        ),
        (
            &["For=\"[2001:db8::1]:443\";Proto=https, for=10.0.0.3;proto=http"],
            "2001:db8::1 443 forwarded/2",
            "https://own.lan",
            "two hops, any case",
        ),
        (
            &["for=1.2.3.4;proto=https", "for=10.0.0.3"],
            "1.2.3.4 forwarded/2",
            "https://own.lan",
            "two lines",
        ),
        (
            &["for=127.0.0.1;host=jf.test:81;proto=http"],
            "127.0.0.1 forwarded/1",
            "http://jf.test:81",
            "a real nginx recipe does not quote the host",
        ),
        (
            &["for=1.2.3.4;by=\"a,for=6.6.6.6\""],
            "1.2.3.4 forwarded/1",
            "http://own.lan",
            "a quoted comma ends nothing",
        ),
        (
            &["for=1.2.3.4;by=\"x;for=6.6.6.6\""],
            "1.2.3.4 forwarded/1",
            "http://own.lan",
            "nor a quoted semicolon",
        ),
        (
            &["for=6.6.6.6;x=\"\\\", for=1.2.3.4"],
            "1.2.3.4 forwarded/1",
            "http://own.lan",
            "an open quote on the left swallows nothing",
        ),
        (&["for=\"1.2.3.\\4\""], "1.2.3.4 forwarded/1", "http://own.lan", "a quoted pair"),
        (
            &["for=1.2.3.4;host=\"t\\v.example\""],
            "1.2.3.4 forwarded/1",
            "http://own.lan",
            "a host needs none",
        ),
        (
            &["for=1.2.3.4, for=unknown;proto=https"],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "unknown ends the walk, and its element counts for nothing",
        ),
        (
            &["for=1.2.3.4, for=_secret"],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "so does an obfuscated name",
        ),
        (
            &["for=1.2.3.4, proto=https;host=a"],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "and an element without `for`",
        ),
        (
            &["for=1.2.3.4;for=6.6.6.6"],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "a parameter twice is malformed",
        ),
        (
            &["for=1.2.3.4, for = 10.0.0.3"],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "blanks around the equals sign are malformed",
        ),
        (
            &["for=\"2001:db8::1\""],
            "10.0.0.2 proxy-only/0",
            "http://own.lan",
            "IPv6 without brackets is malformed",
        ),
        (&["for=\"[::ffff:1.2.3.4]\""], "1.2.3.4 forwarded/1", "http://own.lan", "mapped"),
        (&["for=1.2.3.4", ""], "1.2.3.4 forwarded/1", "http://own.lan", "an empty last line"),
        (&[], "10.0.0.2 proxy-only/0", "http://own.lan", "no header"),
    ] {
        let mut headers = vec![
            ("Host", "own.lan"),
            ("X-Forwarded-For", "7.7.7.7"),
            ("X-Forwarded-Host", "foreign.example"),
        ];
        headers.extend(lines.iter().map(|line| ("Forwarded", *line)));
        let resolved = resolve(&forwarded(KNOWN), &headers);
        assert_eq!(who(&resolved), who_, "{why}");
        assert_eq!(origin(&resolved), origin_, "{why}");
    }
}
