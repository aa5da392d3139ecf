//! Which build this is.

use std::sync::LazyLock;

/// The version of all crates.
pub(crate) const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The commit that was built, as `JELLYNET_COMMIT` said while this crate was compiled.
const COMMIT: Option<&str> = option_env!("JELLYNET_COMMIT");

/// The longest name of a commit: SHA-256 in hexadecimal digits.
const LONGEST: usize = 64;

/// The version, and in brackets the commit, where `JELLYNET_COMMIT` named one at build time:
/// `0.1.0 (1a2b3c4)`.
#[must_use]
pub fn version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| text(COMMIT));
    &TEXT
}

fn text(commit: Option<&str>) -> String {
    match proper(commit) {
        Some(commit) => format!("{NUMBER} ({commit})"),
        None => NUMBER.to_owned(),
    }
}

/// The commit, or `unknown`.
pub(crate) fn commit() -> &'static str {
    proper(COMMIT).unwrap_or("unknown")
}

/// What can be a label: whoever builds may have an empty variable, or one that says more.
fn proper(commit: Option<&str>) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    let commit = commit?.trim();
    ((1..=LONGEST).contains(&commit.len()) && commit.bytes().all(fits)).then_some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_stands_behind_the_version_where_it_is_known() {
        assert_eq!(text(Some("1a2b3c4-dirty\n")), format!("{NUMBER} (1a2b3c4-dirty)"));
        for bad in [None, Some(""), Some("fatal: not a git repository"), Some("a\"b")] {
            assert_eq!(text(bad), NUMBER);
        }
    }
}
