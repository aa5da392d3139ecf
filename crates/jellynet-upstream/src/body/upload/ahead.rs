//! A connection to the upstream is worth more than one to a client: an upload has to begin first.

use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::Duration;

use crate::config::UpstreamConfig;
use crate::error::ForwardError;
use crate::exchange::BoxUpload;
use crate::patience::Patience;

/// How long an upload of unknown length has to begin: it may be half of a conversation that the
/// upstream begins.
const BEGIN_WAIT: Duration = Duration::from_secs(1);

/// Waits until enough of an upload is here that the upstream can be asked.
///
/// | length | waits for | for as long as |
/// | --- | --- | --- |
/// | known, at most [`UpstreamConfig::read_ahead`] | all of it | the least rate is kept |
/// | known, and longer | its first `read_ahead` bytes | the least rate is kept |
/// | unknown | its first byte | 1 s: then the upstream is asked all the same |
///
/// # Cancel safety
///
/// Nothing is lost: what was read stays with the upload.
pub(crate) async fn read_ahead(
    upload: &mut BoxUpload,
    config: &UpstreamConfig,
) -> Result<(), ForwardError> {
    let after = if upload.left().is_some() { config.upload_timeout } else { BEGIN_WAIT };
    let least = config.min_upload_rate.saturating_mul(after.as_secs()).max(1);
    let mut patience = Patience::default();
    let mut before = 0;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(read) = upload.as_mut().poll_ahead(config.read_ahead, cx) {
                return Poll::Ready(read.map_err(ForwardError::ClientBody));
            }
            ready!(patience.poll(after, cx));
            if upload.left().is_none() {
                return Poll::Ready(Ok(()));
            }
            let now = upload.ahead();
            if u64::try_from(now - before).unwrap_or(u64::MAX) < least {
                return Poll::Ready(Err(ForwardError::ClientTimeout { after }));
            }
            before = now;
            patience.rest();
        }
    })
    .await
}
