//! Jellyfin client discovery on 7359/udp, both sides.
