//! Holds nothing: the benches of the workspace stand beside this folder.
