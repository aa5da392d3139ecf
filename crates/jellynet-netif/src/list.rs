//! Lists that an operator writes: all their bad entries at once.

use std::error::Error;
use std::fmt;

/// One entry of a list that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadEntry<R> {
    /// Its position in the list, from 0.
    pub index: usize,
    /// The entry as it was written.
    pub entry: String,
    /// What is wrong with it.
    pub reason: R,
    /// What was probably meant, ready to be put in its place.
    pub hint: Option<String>,
}

impl<R> BadEntry<R> {
    /// Names the entry, what is wrong with it, and what was probably meant.
    pub fn new(index: usize, entry: &str, reason: R, hint: Option<String>) -> Self {
        Self { index, entry: entry.to_owned(), reason, hint }
    }
}

impl<R: fmt::Display> fmt::Display for BadEntry<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, entry, reason, hint } = self;
        write!(f, "entry [{index}] {entry:?}: {reason}")?;
        match hint {
            Some(hint) => write!(f, ", write `{hint}`"),
            None => Ok(()),
        }
    }
}

/// Every entry of a list that cannot be used; `R` says what can be wrong with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseListError<R> {
    bad: Vec<BadEntry<R>>,
}

impl<R> ParseListError<R> {
    /// The error for these entries; `Ok` where there are none.
    ///
    /// # Errors
    ///
    /// When there is one bad entry or more.
    pub fn check(bad: Vec<BadEntry<R>>) -> Result<(), Self> {
        if bad.is_empty() { Ok(()) } else { Err(Self { bad }) }
    }

    /// The bad entries in the order of the list; at least one.
    #[must_use]
    pub fn bad(&self) -> &[BadEntry<R>] {
        &self.bad
    }
}

impl<R: fmt::Display> fmt::Display for ParseListError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for bad in &self.bad {
            write!(f, "{separator}{bad}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl<R: fmt::Debug + fmt::Display> Error for ParseListError<R> {}
