//! A server under a path prefix: normalised, redirected, and nothing broken by it.
