//! UPnP discovery (SSDP), both sides: advertise, answer, search, describe.
