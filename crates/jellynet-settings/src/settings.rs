//! The merged sources, read key by key.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
#[cfg(feature = "toml")]
use std::path::Path;
use std::time::Duration;

use crate::problem::{Problem, SettingsError};
use crate::source::{self, Flat};
use crate::value::{Entry, Origin, Value, parse_duration};

/// Settings from several sources, and every problem found so far.
///
/// Sources are added from the weakest to the strongest; a later value for a key replaces an
/// earlier one, lists as a whole. Then each key is read with its parser. [`finish`](Self::finish)
/// gives all problems at once.
#[derive(Clone, Debug)]
pub struct Settings {
    known: &'static [&'static str],
    entries: BTreeMap<String, Entry>,
    problems: Vec<Problem>,
}

impl Settings {
    /// No settings yet. `known` lists every key; the elements of a list of tables are written
    /// with empty brackets, such as `upstream[].url`.
    #[must_use]
    pub const fn new(known: &'static [&'static str]) -> Self {
        Self { known, entries: BTreeMap::new(), problems: Vec::new() }
    }

    /// Adds the values of a TOML text that was read from `path`.
    #[cfg(feature = "toml")]
    pub fn add_toml(&mut self, text: &str, path: &Path) {
        match source::toml_text::flatten(text, path) {
            Ok(flat) => self.add(flat),
            Err((origin, message)) => self.problem(String::new(), Some(origin), message),
        }
    }

    /// Adds the values of a JSON object of the same shape as the file.
    #[cfg(feature = "json")]
    pub fn add_json(&mut self, value: &serde_json::Value) {
        self.add(source::json::flatten(value));
    }

    /// Adds the environment variables whose names begin with `prefix` and an underscore; two
    /// underscores part the levels of a key, a number is an index. A list is parted by commas.
    pub fn add_environment(
        &mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) {
        self.add(source::environment(prefix, variables));
    }

    /// Adds one value that came by a command-line flag. A list is parted by commas.
    pub fn add_flag(&mut self, key: &str, flag: &str, value: impl Into<String>) {
        let origin = Origin::Flag { flag: flag.to_owned() };
        self.add(vec![(key.to_owned(), Ok(Entry { value: Value::Text(value.into()), origin }))]);
    }

    fn add(&mut self, flat: Flat) {
        for (key, entry) in flat {
            match entry {
                Err((origin, message)) => self.problem(key, Some(origin), message),
                Ok(entry) if has_high_index(&key) => {
                    let message = format!("index too high: at most {MAX_INDEX} is understood");
                    self.problem(key, Some(entry.origin), message);
                }
                Ok(entry) if self.known.contains(&pattern(&key).as_str()) => {
                    self.entries.insert(key, entry);
                }
                Ok(entry) => {
                    let message = unknown(&key, self.known);
                    self.problem(key, Some(entry.origin), message);
                }
            }
        }
    }

    fn problem(&mut self, key: String, origin: Option<Origin>, message: String) {
        self.problems.push(Problem { key, origin, message });
    }

    /// Reports that the value of `key` cannot be used. A key may end in an index, such as
    /// `proxies.known[2]`.
    pub fn reject(&mut self, key: &str, message: impl Display) {
        let entry = self.entries.get(key).or_else(|| self.entries.get(key.rsplit_once('[')?.0));
        let origin = entry.map(|e| e.origin.clone());
        self.problem(key.to_owned(), origin, message.to_string());
    }

    /// Whether any source gives this key.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Where the value of `key` comes from; `None` when the default holds.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.entries.get(key).map(|e| &e.origin)
    }

    /// Reads a single value with its parser. `None` when it is not set, or was rejected.
    pub fn parse<T, E: Display>(
        &mut self,
        key: &str,
        parser: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = match &self.entries.get(key)?.value {
            Value::Text(text) => text.clone(),
            Value::List(_) => {
                self.reject(key, "is a list, but one value is wanted");
                return None;
            }
        };
        parser(&text).map_err(|error| self.reject(key, quoted(&text, &error))).ok()
    }

    /// Reads a text as it is.
    pub fn text(&mut self, key: &str) -> Option<String> {
        self.parse(key, |text| Ok::<_, String>(text.to_owned()))
    }

    /// Reads `true` or `false` (also `yes`, `no`, `on`, `off`, `1` and `0`).
    pub fn bool(&mut self, key: &str) -> Option<bool> {
        self.parse(key, |text| match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err("write true or false"),
        })
    }

    /// Reads a length of time as [`parse_duration`] does.
    pub fn duration(&mut self, key: &str) -> Option<Duration> {
        self.parse(key, parse_duration)
    }

    /// The elements of a list as they are written; a single value is a list of one. `None` when
    /// it is not set.
    #[must_use]
    pub fn elements(&self, key: &str) -> Option<Vec<String>> {
        self.entries.get(key).map(Entry::elements)
    }

    /// Whether a list comes from a place that has none (environment, flag), and was split at commas.
    #[must_use]
    pub fn is_split(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(Entry::is_split)
    }

    /// Reads a list, each element with the parser; every bad element is reported with its index.
    /// `None` when it is not set, or any element was rejected.
    pub fn list<T, E: Display>(
        &mut self,
        key: &str,
        parser: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let elements = self.elements(key)?;
        let mut good = Vec::with_capacity(elements.len());
        for (at, text) in elements.iter().enumerate() {
            match parser(text) {
                Ok(value) => good.push(value),
                Err(error) => self.reject(&format!("{key}[{at}]"), quoted(text, &error)),
            }
        }
        (good.len() == elements.len()).then_some(good)
    }

    /// How many tables the list of tables `key` has: one more than the highest index.
    #[must_use]
    pub fn tables(&self, key: &str) -> usize {
        let index = |entry: &str| {
            let rest = entry.strip_prefix(key)?.strip_prefix('[')?;
            rest.split_once(']')?.0.parse::<usize>().ok()
        };
        self.entries
            .keys()
            .filter_map(|k| index(k))
            .map(|at| at.saturating_add(1))
            .max()
            .unwrap_or(0)
    }

    /// Every key that is set, with where it comes from.
    pub fn origins(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), &entry.origin))
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// Every problem of every source and key.
    pub fn finish(self) -> Result<(), SettingsError> {
        if self.problems.is_empty() { Ok(()) } else { Err(SettingsError::new(self.problems)) }
    }
}

fn quoted(text: &str, error: &impl Display) -> String {
    let error = error.to_string();
    // Errors that name the value themselves are not made to say it twice.
    if error.contains(text) && !text.is_empty() { error } else { format!("{text:?}: {error}") }
}

/// The highest index of a list of tables: a typing error must not make thousands of them.
const MAX_INDEX: usize = 999;

fn has_high_index(key: &str) -> bool {
    key.split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .any(|(index, _)| index.parse::<usize>().map_or(true, |index| index > MAX_INDEX))
}

/// `upstream[0].url` is known as `upstream[].url`.
fn pattern(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut inside = false;
    for c in key.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => continue,
            _ => {}
        }
        out.push(c);
    }
    out
}

fn unknown(key: &str, known: &[&str]) -> String {
    let key = pattern(key);
    let last = |k: &str| k.rsplit('.').next().unwrap_or_default().to_owned();
    let near = known
        .iter()
        .map(|k| {
            // The right name in the wrong table is nearer than any misspelling.
            let distance =
                if last(k) == last(&key) { 1 } else { strsim::damerau_levenshtein(&key, k) };
            (distance, *k)
        })
        .min();
    match near {
        Some((distance, near)) if distance <= 1 + key.len() / 4 => {
            format!("unknown key: did you mean {near}?")
        }
        _ => "unknown key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &[
        "http.listen",
        "http.max_connections",
        "server.name",
        "upstream[].url",
        "upstream[].host",
    ];

    fn settings(toml: &str) -> Settings {
        let mut settings = Settings::new(KNOWN);
        settings.add_toml(toml, "t.toml".as_ref());
        settings
    }

    fn problems(settings: Settings) -> Vec<String> {
        let error = settings.finish().err();
        error.iter().flat_map(|e| e.problems()).map(ToString::to_string).collect()
    }

    #[test]
    fn a_stronger_source_replaces_a_weaker_one() {
        let mut s = settings("[http]\nlisten = ['*:1', '*:2']\n[server]\nname = 'file'\n");
        s.add_environment(
            "P",
            [("P_SERVER__NAME".into(), "env".into()), ("PATH".into(), "/".into())],
        );
        s.add_flag("http.listen", "--listen", "*:3, *:4");
        assert_eq!(s.text("server.name").as_deref(), Some("env"));
        assert_eq!(s.elements("http.listen").unwrap(), ["*:3", "*:4"]);
        assert_eq!(
            s.origin("server.name").unwrap().to_string(),
            "environment variable P_SERVER__NAME"
        );
        assert_eq!(problems(s), Vec::<String>::new());
    }

    #[test]
    fn tables_are_numbered_and_may_come_from_the_environment() {
        let mut s = settings("[[upstream]]\nurl = 'http://a'\n[[upstream]]\nurl = 'http://b'\n");
        s.add_environment("P", [("P_UPSTREAM__2__URL".into(), "http://c".into())]);
        assert_eq!(s.tables("upstream"), 3);
        assert_eq!(s.text("upstream[2].url").as_deref(), Some("http://c"));
    }

    #[test]
    fn every_problem_is_reported_with_its_place_and_the_nearest_match() {
        let mut s = settings(
            "nam = 'x'\n[http]\nlisten = ['ok', 'bad', 'worse']\nmax_conections = 3\n[sever]\nname = 'x'\n[[upstream]]\nurl = ['a', 'b']\nzzzzzzzzzz = 1\n",
        );
        let _ = s.list("http.listen", |t| if t == "ok" { Ok(()) } else { Err("no") });
        let _ = s.text("upstream[0].url");
        assert_eq!(
            problems(s),
            [
                "nam (t.toml line 1): unknown key",
                "http.max_conections (t.toml line 4): unknown key: did you mean http.max_connections?",
                "sever.name (t.toml line 6): unknown key: did you mean server.name?",
                "upstream[0].zzzzzzzzzz (t.toml line 9): unknown key",
                "http.listen[1] (t.toml line 3): \"bad\": no",
                "http.listen[2] (t.toml line 3): \"worse\": no",
                "upstream[0].url (t.toml line 8): is a list, but one value is wanted",
            ]
        );
    }

    #[test]
    fn a_typing_error_in_an_index_makes_no_thousand_tables() {
        let mut s = settings("");
        s.add_environment("P", [("P_UPSTREAM__4000000000__URL".into(), "http://c".into())]);
        assert_eq!(s.tables("upstream"), 0);
        assert!(problems(s)[0].contains("index too high"));
    }

    #[test]
    fn broken_toml_is_one_problem_with_its_line() {
        let found = problems(settings("[http]\nlisten = [\n"));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("t.toml line "), "{found:?}");
    }

    #[test]
    fn truth_has_the_usual_spellings_and_no_others() {
        for (text, expected) in
            [("'Yes'", Some(true)), ("false", Some(false)), ("0", Some(false)), ("2", None)]
        {
            let mut s = settings(&format!("[server]\nname = {text}\n"));
            assert_eq!(s.bool("server.name"), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}", variable in "P_[A-Z0-9_]{0,30}") {
            let mut s = settings(&text);
            s.add_environment("P", [(variable.into(), text.into())]);
            let _ = s.tables("upstream");
            let _ = s.text("server.name");
            let _ = s.finish();
        }
    }
}
