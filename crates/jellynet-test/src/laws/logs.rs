//! What is logged while something runs.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Runs the code and returns the first line above `debug` that this thread logged meanwhile.
pub(super) fn above_debug(
    code: impl FnOnce() -> Result<(), String>,
) -> Result<Option<String>, String> {
    let loud = Arc::new(Mutex::new(None));
    let ear = Ear { loud: Arc::clone(&loud) };
    tracing::subscriber::with_default(ear, code)?;
    let mut line = loud.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(line.take())
}

/// Keeps the first loud line.
struct Ear {
    loud: Arc<Mutex<Option<String>>>,
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() < Level::DEBUG
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = event.metadata().level().to_string();
        event.record(&mut Line(&mut line));
        let mut loud = self.loud.lock().unwrap_or_else(PoisonError::into_inner);
        loud.get_or_insert(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
