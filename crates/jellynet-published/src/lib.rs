//! Which URL of this server does this peer reach, and why.
