//! Whether the server can do its work, part by part.

use serde::Serialize;

/// One part of the server that must be ready, or should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Part {
    /// Its name, such as `listener http` or `upstream`.
    pub name: String,
    /// Whether it does its work.
    pub ready: bool,
    /// Whether the server as a whole is not ready without it.
    pub required: bool,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Part {
    /// A part that does its work.
    #[must_use]
    pub fn ready(name: impl Into<String>) -> Self {
        Self { name: name.into(), ready: true, required: true, reason: None }
    }

    /// A required part that does not do its work, and why.
    #[must_use]
    pub fn waiting(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), ready: false, required: true, reason: Some(reason.into()) }
    }

    /// The same part, without which the server is ready all the same.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}

/// Every part, and whether all the required ones are ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ready {
    /// Whether the server can do its work.
    pub ready: bool,
    /// Its parts.
    pub parts: Vec<Part>,
}

impl Ready {
    /// Ready when every required part is.
    #[must_use]
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        let parts: Vec<_> = parts.into_iter().collect();
        Self { ready: parts.iter().all(|p| p.ready || !p.required), parts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_part_holds_nothing_up() {
        let optional = Part::waiting("ssdp", "port 1900 is in use").optional();
        assert!(Ready::new([Part::ready("http"), optional.clone()]).ready);
        assert!(!Ready::new([Part::waiting("http", "in use"), optional]).ready);
    }
}
