//! May this client come in: LAN, remote access, allow and block lists that fail closed.
