//! The targets of cargo-fuzz on a stable compiler, over what fuzzing starts from.
//!
//! A test includes the file of a target as a module, and lets this crate stand in for
//! `libfuzzer_sys`: `extern crate jellynet_test as libfuzzer_sys;`. What the module then has is a
//! function `run`.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// What a target takes of the bytes of an input.
pub trait Input<'a> {
    /// As libFuzzer's own macro would hand it over.
    fn take(bytes: &'a [u8]) -> Self;
}

impl<'a> Input<'a> for &'a [u8] {
    fn take(bytes: &'a [u8]) -> Self {
        bytes
    }
}

impl<'a> Input<'a> for &'a str {
    /// The start that is UTF-8.
    fn take(bytes: &'a [u8]) -> Self {
        bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
    }
}

/// Stands in for the macro of `libfuzzer_sys`: the target becomes `run(bytes)`.
#[macro_export]
macro_rules! fuzz_target {
    (|$input:ident: $kind:ty| $body:expr) => {
        pub(crate) fn run(bytes: &[u8]) {
            let $input: $kind = $crate::seeds::Input::take(bytes);
            $body
        }
    };
}

/// Runs a target with each file of a folder, and with each of its beginnings; returns how many
/// files there were.
///
/// # Panics
///
/// If the folder cannot be read, and with the target, after the name of the file was printed.
pub fn run(folder: &Path, target: fn(&[u8])) -> usize {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files {
        let bytes = fs::read(file).unwrap();
        let step = (bytes.len() / 64).max(1);
        let ends = (0..bytes.len()).step_by(step).chain([bytes.len()]);
        for end in ends {
            let input = bytes.get(..end).unwrap_or_default();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
                eprintln!("with the first {end} bytes of {}", file.display());
                resume_unwind(panic);
            }
        }
    }
    files.len()
}
