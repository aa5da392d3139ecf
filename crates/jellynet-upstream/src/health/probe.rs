//! Asks an upstream who it is, again and again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode, header};
use http_body::Body;
use tokio::time::{sleep, timeout};

use super::{Identity, State};
use crate::answer::chain;
use crate::body::ResponseBody;
use crate::error::ForwardError;
use crate::local_address::PATH;
use crate::upstream::Upstream;

/// Longest answer that is read.
const MAX: usize = 64 * 1024;

/// How an upstream is asked. Each pause varies by a tenth, so that many gateways do not ask at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeConfig {
    /// Pause while it is up. Default: 1.5 s, so that a status is never older than 2 s.
    pub interval: Duration,
    /// Pause while it is not. Default: 500 ms.
    pub retry: Duration,
    /// Longest wait for an answer. Default: 5 s.
    pub timeout: Duration,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(1500),
            retry: Duration::from_millis(500),
            timeout: Duration::from_secs(5),
        }
    }
}

/// What one question found out.
struct Finding {
    state: State,
    identity: Option<Identity>,
    reason: Option<String>,
}

impl Upstream {
    /// Keeps the [status](Upstream::status) true, for ever: asks for `/System/Info/Public`, and
    /// at once whenever a request finds the upstream gone or back. Also drops kept connections
    /// that the upstream has closed. To be spawned by the application.
    ///
    /// | the upstream | state | identity |
    /// | --- | --- | --- |
    /// | answers with an identity | up | that |
    /// | answers with one in camelCase, as Jellyfin does while it starts | starting | that |
    /// | answers something else below 500 (it is no media server) | up | as before |
    /// | answers 5xx, nonsense or too late | starting | as before |
    /// | takes no connection | down | as before |
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the questions.
    pub async fn probe(&self, config: ProbeConfig) {
        loop {
            let found = match timeout(config.timeout, self.ask()).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => Finding {
                    state: if error.is_down() { State::Down } else { State::Starting },
                    identity: None,
                    reason: Some(chain(&error)),
                },
                Err(_) => starting(format!("no answer within {:?}", config.timeout)),
            };
            let pause = if found.state == State::Up { config.interval } else { config.retry };
            let health = self.health();
            health.set(found.state, found.identity, found.reason);
            self.prune();
            tokio::select! {
                () = sleep(varied(pause)) => {}
                () = health.hurry.notified() => {
                    // A flood of failing requests is no reason to ask more often than this.
                    sleep(config.retry / 5).await;
                }
            }
        }
    }

    async fn ask(&self) -> Result<Finding, ForwardError> {
        let request = Request::get(PATH)
            .header(header::HOST, self.config().url.authority())
            .header(header::ACCEPT, "application/json")
            .body(ResponseBody::default());
        let Ok(request) = request else {
            return Ok(starting("the upstream's name is no host".to_owned()));
        };
        let response = self.try_forward(request).await?;
        Ok(judge(response.status(), read(response).await.as_deref()))
    }
}

fn judge(status: StatusCode, body: Option<&[u8]>) -> Finding {
    if status.is_server_error() {
        return starting(format!("answers {status}"));
    }
    let identity = body
        .filter(|_| status == StatusCode::OK)
        .and_then(|body| serde_json::from_slice::<Identity>(body).ok());
    // Jellyfin's start-up page answers in camelCase, and 503 to all else.
    let pascal = body.is_some_and(|body| body.windows(4).any(|four| four == b"\"Id\""));
    match identity {
        Some(identity) if !pascal => Finding {
            state: State::Starting,
            identity: Some(identity),
            reason: Some("says that it is starting".to_owned()),
        },
        identity => Finding { state: State::Up, identity, reason: None },
    }
}

const fn starting(reason: String) -> Finding {
    Finding { state: State::Starting, identity: None, reason: Some(reason) }
}

/// The whole body, if it is of sane size and comes to its end.
async fn read(response: Response<ResponseBody>) -> Option<Bytes> {
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.ok()?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > MAX {
            return None;
        }
    }
    Some(bytes.freeze())
}

/// The pause, give or take a tenth.
fn varied(pause: Duration) -> Duration {
    // Each `RandomState` has its own keys.
    let random = RandomState::new().hash_one(()) % 201;
    let percent = u32::try_from(random).unwrap_or_default();
    pause * (900 + percent) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_state_and_identity() {
        let up = br#"{"LocalAddress":"x","ServerName":"media","Version":"12.0.0","ProductName":"Jellyfin Server","OperatingSystem":"","Id":"0123456789abcdef0123456789abcdef","StartupWizardCompleted":true}"#;
        let found = judge(StatusCode::OK, Some(up));
        assert_eq!(found.state, State::Up);
        let identity = found.identity.unwrap();
        assert_eq!(identity.server_name, "media");
        assert_eq!(identity.startup_wizard_completed, Some(true));

        let starts = br#"{"serverName":"media","id":"0123","version":"12.0.0"}"#;
        let found = judge(StatusCode::OK, Some(starts));
        assert_eq!(found.state, State::Starting);
        assert_eq!(found.identity.unwrap().id, "0123");

        for (status, body, state) in [
            (503, &b""[..], State::Starting),
            (404, b"not here", State::Up),
            (200, b"<html>", State::Up),
        ] {
            let found = judge(StatusCode::from_u16(status).unwrap(), Some(body));
            assert_eq!(found.state, state, "{status}");
            assert!(found.identity.is_none());
        }
    }

    #[test]
    fn a_pause_varies_by_a_tenth() {
        let pause = Duration::from_secs(10);
        for _ in 0..100 {
            let varied = varied(pause);
            assert!((Duration::from_secs(9)..=Duration::from_secs(11)).contains(&varied));
        }
    }
}
