//! Liveness, readiness, metrics and status of a media server's network layer.
