//! Holds nothing: the examples of the workspace stand beside this folder.
