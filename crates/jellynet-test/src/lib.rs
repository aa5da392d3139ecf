//! Virtual network, engine laws and real-peer helpers for jellynet's own tests.
