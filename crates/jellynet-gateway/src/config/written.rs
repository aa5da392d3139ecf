//! The configuration as it was written: to see later what changed, and to show.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use jellynet_admin::{REPLACEMENT, redact_target};
use jellynet_settings::Settings;

/// The value of every key that is set, in whatever source. Passwords are among them, so that
/// `Debug` shows no value.
#[derive(Clone, Default)]
pub(crate) struct Written(BTreeMap<String, Value>);

#[derive(Clone)]
struct Value {
    elements: Vec<String>,
    /// Where it comes from, in words.
    origin: String,
}

impl Written {
    pub(super) fn of(settings: &Settings) -> Self {
        let values = settings.origins().map(|(key, origin)| {
            let elements = settings.elements(key).unwrap_or_default();
            (key.to_owned(), Value { elements, origin: origin.to_string() })
        });
        Self(values.collect())
    }

    /// The keys that have another value there, or none, in order.
    pub(crate) fn changed(&self, other: &Self) -> Vec<String> {
        let keys: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let of = |written: &Self, key: &String| written.0.get(key).map(|v| v.elements.clone());
        keys.into_iter().filter(|key| of(self, key) != of(other, key)).cloned().collect()
    }

    /// A line for each key that is set, with where it comes from, and one for each of `keys` that
    /// is not. No secret is shown.
    pub(crate) fn describe(&self, keys: &[&str]) -> String {
        let mut text = String::new();
        for (key, value) in &self.0 {
            let shown: Vec<_> = value.elements.iter().map(|e| shown(key, e)).collect();
            let shown = match shown.as_slice() {
                [one] => one.clone(),
                all => format!("[{}]", all.join(", ")),
            };
            let _ = writeln!(text, "{key} = {shown}  # {}", value.origin);
        }
        let unset = keys.iter().filter(|key| !key.contains("[]") && !self.0.contains_key(**key));
        for key in unset {
            let _ = writeln!(text, "# {key}: default");
        }
        text
    }
}

fn shown(key: &str, value: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    let secret =
        ["password", "secret", "token", "hmac", "eab_key"].iter().any(|word| name.contains(word));
    // The path of a file with a secret is none.
    if secret && !name.ends_with("_file") && name != "eab_key_id" {
        return format!("{REPLACEMENT:?}");
    }
    format!("{:?}", redact_target(value))
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, KEYS};

    #[test]
    fn no_password_is_shown_by_anything() {
        let mut settings = Settings::new(KEYS);
        let toml = "[[identity]]\ncertificate = '/tv.pfx'\npassword = 'S3CR3T'\n\
                    [server]\nname = 'tv'\n";
        settings.add_toml(toml, "t.toml".as_ref());
        let config = Config::from_settings(settings).unwrap();
        let described = config.describe();
        assert!(
            described.contains("identity[0].password = \"***\"  # t.toml line 3"),
            "{described}"
        );
        assert!(described.contains("server.name = \"tv\""), "{described}");
        assert!(described.contains("# http.listen: default"), "{described}");
        for text in [described, format!("{config:?}"), format!("{config:#?}")] {
            assert!(!text.contains("S3CR3T"), "{text}");
        }
    }
}
