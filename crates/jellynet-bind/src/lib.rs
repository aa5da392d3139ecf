//! Listening sockets for servers: by address, interface name, unix path or systemd, and a plain answer when it cannot be done.
