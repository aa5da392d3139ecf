//! The helpers, tried on this machine.

mod real;
