//! On which connection a request goes out, and when it goes out again.

use http::Method;

use super::Upstream;
use crate::conn::Conn;
use crate::connect::connect;
use crate::error::ForwardError;
use crate::exchange::{BoxUpload, Exchange, Failure};
use crate::head::decode::ResponseHead;

/// On how many new connections a request goes out.
const MOST_NEW: usize = 2;

impl Upstream {
    /// Runs the exchange on a kept connection, else on a new one.
    ///
    /// | what broke before an answer | a request that may goes out on | else |
    /// | --- | --- | --- |
    /// | a kept connection | a new one; the other kept ones are closed, for their upstream is most likely gone | 502 |
    /// | a new one | another: it may have stood in the queue of a server that ended | 502 |
    /// | the second new one | – | 502 |
    ///
    /// So a request that meets a restart gets the answer of the server that comes, or is told
    /// truly that nobody is there.
    pub(super) async fn exchange(
        &self,
        exchange: &Exchange<'_>,
        upload: &mut Option<BoxUpload>,
    ) -> Result<(Conn, ResponseHead), ForwardError> {
        let once = upload.is_some() || !exchange.method.is_idempotent();
        let mut kept = self.shared.pool.take(once);
        let mut new = 0;
        loop {
            let mut conn = match kept.take() {
                Some(conn) => conn,
                None => {
                    new += 1;
                    self.connect().await?
                }
            };
            let failure = match exchange.run(&mut conn, upload).await {
                Ok(head) => return Ok((conn, head)),
                Err(failure) => failure,
            };
            if matches!(failure.error, ForwardError::Closed { .. }) {
                // What cannot go out twice must not be the next to meet one of them.
                self.shared.pool.clear();
            }
            if new == MOST_NEW || !may_retry(exchange.method, &failure) {
                return Err(failure.error);
            }
            self.shared.counters.retry();
        }
    }

    async fn connect(&self) -> Result<Conn, ForwardError> {
        let shared = &self.shared;
        let io = connect(&shared.config).await.inspect_err(|error| {
            shared.health.connect_failed(error);
        })?;
        shared.health.connected();
        Ok(Conn::new(io, &shared.counters.connections))
    }
}

/// Whether a request whose connection broke may go out again (RFC 9110 § 9.2.2): its
/// body is untouched, no answer came, and either nothing was sent or repeating it is harmless.
fn may_retry(method: &Method, failure: &Failure) -> bool {
    let broke = matches!(failure.error, ForwardError::Closed { .. });
    broke
        && !failure.answered
        && !failure.uploaded
        && (failure.wrote == 0 || method.is_idempotent())
}
