//! A streaming reverse proxy to a running media server that does not change a request's meaning.
