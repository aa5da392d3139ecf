//! A stream taken to its end, into a file or nowhere.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::error::StreamError;
use super::stream::TunerStream;
use crate::rx::RxStats;
use crate::status::TunerStatus;

/// How a stream is doing; its text is a line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Since when it is taken.
    pub elapsed: Duration,
    /// Bits per second that arrived since the last report.
    pub bits_per_second: u64,
    /// The signal.
    pub status: TunerStatus,
    /// The account so far.
    pub stats: RxStats,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} s: {:.1} Mbit/s, signal {} %, quality {} %, lost {}, damaged {}",
            self.elapsed.as_secs(),
            self.bits_per_second as f64 / 1e6,
            self.status.signal_strength,
            self.status.signal_quality,
            self.stats.network_lost() + self.stats.kernel_dropped.unwrap_or_default(),
            self.stats.transport_errors,
        )
    }
}

/// What a recording came to; its text is a line for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// How many bytes were written.
    pub bytes: u64,
    /// How many batches were lost because writing was slower than the stream.
    pub lagged: u64,
    /// The account of the stream.
    pub stats: RxStats,
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {}", self.bytes, self.stats)?;
        match self.lagged {
            0 => Ok(()),
            lagged => write!(f, "; {lagged} batches lost because writing was too slow"),
        }
    }
}

/// Why a recording ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The stream ended by itself.
    #[error("the stream ended")]
    Stream(#[source] StreamError),
    /// It could not be written.
    #[error("cannot write the recording")]
    Write(#[source] io::Error),
}

/// Writes a stream to `out` until `stop` is ready or the stream fails, and reports every second.
/// Everything that arrived is written, also after an error of the stream; then the tuner is
/// released, and what was written is flushed.
///
/// # Errors
///
/// [`RecordError`]; what came until then is accounted for all the same.
///
/// # Cancel safety
///
/// When the future is dropped, the tuner is released in the background; the last packets are not
/// written.
pub async fn record(
    mut stream: TunerStream,
    out: &mut (impl AsyncWrite + Unpin),
    stop: impl Future<Output = ()>,
    mut report: impl FnMut(&Progress),
) -> (Recorded, Result<(), RecordError>) {
    let mut stop = pin!(stop);
    let mut stopped = false;
    let mut tick = Ticks::begin();
    let mut recorded = Recorded::default();
    let ended = loop {
        let batch = tokio::select! {
            biased;
            () = &mut stop, if !stopped => {
                stopped = true;
                stream.leave();
                continue;
            }
            _ = tick.interval.tick(), if !stopped => {
                report(&tick.progress(&stream));
                continue;
            }
            batch = stream.next() => batch,
        };
        let batch = match batch {
            None => break Ok(()),
            Some(Err(error)) => break Err(RecordError::Stream(error)),
            Some(Ok(batch)) => batch,
        };
        if let Err(error) = out.write_all(&batch.data).await {
            break Err(RecordError::Write(error));
        }
        recorded.bytes += batch.data.len() as u64;
    };
    let flushed = out.flush().await.map_err(RecordError::Write);
    recorded.lagged = stream.lagged();
    recorded.stats = stream.close().await;
    (recorded, ended.and(flushed))
}

struct Ticks {
    interval: tokio::time::Interval,
    began: Instant,
    last: (Instant, u64),
}

impl Ticks {
    fn begin() -> Self {
        let now = Instant::now();
        let mut interval = interval(Duration::from_secs(1));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval.reset();
        Self { interval, began: now, last: (now, 0) }
    }

    fn progress(&mut self, stream: &TunerStream) -> Progress {
        let (now, stats) = (Instant::now(), stream.stats());
        let (before, bytes) = std::mem::replace(&mut self.last, (now, stats.bytes));
        let bits = u128::from(stats.bytes.saturating_sub(bytes)) * 8_000_000;
        let rate = bits / now.duration_since(before).as_micros().max(1);
        Progress {
            elapsed: now.duration_since(self.began),
            bits_per_second: u64::try_from(rate).unwrap_or(u64::MAX),
            status: stream.status(),
            stats,
        }
    }
}
