//! The sources: each becomes a flat list of dotted keys with raw values.

use std::ffi::OsString;

use crate::value::{Entry, Origin, Value};

/// What one source holds: key and entry, or key and why it cannot be used.
pub(crate) type Flat = Vec<(String, Result<Entry, (Origin, String)>)>;

/// `PREFIX_HTTP__LISTEN` is `http.listen`; `PREFIX_UPSTREAM__0__URL` is `upstream[0].url`.
pub(crate) fn environment_key(prefix: &str, variable: &str) -> Option<String> {
    let rest = variable.strip_prefix(prefix)?.strip_prefix('_')?;
    let mut key = String::new();
    for segment in rest.split("__") {
        if !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit()) {
            key.push_str(&format!("[{segment}]"));
        } else {
            if !key.is_empty() {
                key.push('.');
            }
            key.push_str(&segment.to_ascii_lowercase());
        }
    }
    Some(key)
}

pub(crate) fn environment(
    prefix: &str,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Flat {
    let mut flat = Flat::new();
    for (name, value) in variables {
        let Some(name) = name.to_str() else { continue };
        let Some(key) = environment_key(prefix, name) else {
            continue;
        };
        let origin = Origin::Environment { variable: name.to_owned() };
        let entry = match value.into_string() {
            Ok(text) => Ok(Entry { value: Value::Text(text), origin }),
            Err(bytes) => Err((origin, format!("{bytes:?} is not UTF-8"))),
        };
        flat.push((key, entry));
    }
    flat.sort_by(|a, b| a.0.cmp(&b.0));
    flat
}

#[cfg(feature = "toml")]
pub(crate) mod toml_text {
    use std::path::Path;

    use toml::Spanned;
    use toml::de::{DeTable, DeValue};

    use super::{Entry, Flat, Origin, Value};

    struct Flattener<'a> {
        text: &'a str,
        path: &'a Path,
        flat: Flat,
    }

    /// Flattens TOML text.
    ///
    /// # Errors
    ///
    /// What the TOML parser says, with the line.
    pub(crate) fn flatten(text: &str, path: &Path) -> Result<Flat, (Origin, String)> {
        let mut flattener = Flattener { text, path, flat: Flat::new() };
        match DeTable::parse(text) {
            Ok(table) => flattener.table("", table.get_ref()),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                return Err((flattener.origin(at), error.message().to_owned()));
            }
        }
        // By place in the file, so that problems come in the order in which they are read.
        let mut flat = flattener.flat;
        flat.sort_by_key(|(_, entry)| match entry {
            Ok(Entry { origin: Origin::File { line, .. }, .. })
            | Err((Origin::File { line, .. }, _)) => *line,
            _ => 0,
        });
        Ok(flat)
    }

    impl Flattener<'_> {
        fn origin(&self, at: usize) -> Origin {
            let before = self.text.as_bytes().get(..at).unwrap_or_default();
            let line = 1 + before.iter().filter(|b| **b == b'\n').count();
            Origin::File { path: self.path.to_owned(), line }
        }

        fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
            for (key, value) in table {
                let key = if prefix.is_empty() {
                    key.get_ref().to_string()
                } else {
                    format!("{prefix}.{}", key.get_ref())
                };
                self.value(key, value);
            }
        }

        fn value(&mut self, key: String, value: &Spanned<DeValue<'_>>) {
            let origin = self.origin(value.span().start);
            match value.get_ref() {
                DeValue::Table(table) => self.table(&key, table),
                DeValue::Array(array) if array.iter().any(|v| v.get_ref().is_table()) => {
                    for (at, element) in array.iter().enumerate() {
                        self.value(format!("{key}[{at}]"), element);
                    }
                }
                DeValue::Array(array) => {
                    let list: Option<Vec<_>> = array.iter().map(|v| scalar(v.get_ref())).collect();
                    let entry = match list {
                        Some(list) => Ok(Entry { value: Value::List(list), origin }),
                        None => Err((origin, "a list in a list is not understood".to_owned())),
                    };
                    self.flat.push((key, entry));
                }
                other => {
                    let text = scalar(other).unwrap_or_default();
                    self.flat.push((key, Ok(Entry { value: Value::Text(text), origin })));
                }
            }
        }
    }

    fn scalar(value: &DeValue<'_>) -> Option<String> {
        match value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.to_string()),
            DeValue::Boolean(truth) => Some(truth.to_string()),
            DeValue::Datetime(time) => Some(time.to_string()),
            DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }
}

#[cfg(feature = "json")]
pub(crate) mod json {
    use serde_json::Value as Json;

    use super::{Entry, Flat, Origin, Value};

    pub(crate) fn flatten(value: &Json) -> Flat {
        let mut flat = Flat::new();
        if value.is_object() {
            walk(String::new(), value, &mut flat);
        } else {
            flat.push((
                String::new(),
                Err((Origin::Given, "the configuration is not an object".to_owned())),
            ));
        }
        flat
    }

    fn walk(key: String, value: &Json, flat: &mut Flat) {
        match value {
            Json::Object(object) => {
                for (name, value) in object {
                    let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    walk(key, value, flat);
                }
            }
            Json::Array(array) if array.iter().any(Json::is_object) => {
                for (at, element) in array.iter().enumerate() {
                    walk(format!("{key}[{at}]"), element, flat);
                }
            }
            Json::Array(array) => {
                let list: Option<Vec<_>> = array.iter().map(scalar).collect();
                let entry = match list {
                    Some(list) => Ok(Entry { value: Value::List(list), origin: Origin::Given }),
                    None => Err((
                        Origin::Given,
                        "a list in a list, or null, is not understood".to_owned(),
                    )),
                };
                flat.push((key, entry));
            }
            // As if it were not there: JSON has no other way to leave a value out.
            Json::Null => {}
            other => {
                let text = scalar(other).unwrap_or_default();
                flat.push((key, Ok(Entry { value: Value::Text(text), origin: Origin::Given })));
            }
        }
    }

    fn scalar(value: &Json) -> Option<String> {
        match value {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            Json::Bool(truth) => Some(truth.to_string()),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }
}
