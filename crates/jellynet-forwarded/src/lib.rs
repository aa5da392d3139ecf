//! Who is the client really: known proxies, X-Forwarded-*, RFC 7239 Forwarded and the PROXY protocol.
