//! One TCP connection: a question out, its answer in.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ControlError;
use crate::wire::{FrameDecoder, GetSetReply, GetSetRequest};

#[derive(Debug)]
pub(super) struct Connection {
    device: SocketAddr,
    limit: Duration,
    stream: TcpStream,
    decoder: FrameDecoder,
}

impl Connection {
    pub(super) async fn open(device: SocketAddr, limit: Duration) -> Result<Self, ControlError> {
        let connecting = timeout(limit, TcpStream::connect(device)).await;
        let Ok(connected) = connecting else {
            return Err(ControlError::TimedOut { device, operation: "connect", after: limit });
        };
        let stream = connected.map_err(|source| ControlError::Connect { device, source })?;
        // Packets are small and wait for their answer. A failure costs only time.
        let _ = stream.set_nodelay(true);
        Ok(Self { device, limit, stream, decoder: FrameDecoder::new() })
    }

    pub(super) fn local_ip(&self) -> Option<IpAddr> {
        self.stream.local_addr().ok().map(|a| a.ip())
    }

    /// Whether the device sent more than it was asked for: the next answer could be an old one.
    pub(super) fn is_out_of_step(&self) -> bool {
        self.decoder.pending() > 0
    }

    /// Waits for the end; an answer that nobody asked for is none.
    pub(super) async fn closed(&self) {
        if matches!(self.stream.peek(&mut [0]).await, Ok(1..)) {
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn exchange(
        &mut self,
        request: &GetSetRequest,
    ) -> Result<GetSetReply, ControlError> {
        let packet = request
            .encode()
            .map_err(|source| ControlError::TooLong { name: request.name.clone(), source })?;
        let device = self.device;
        let sending = timeout(self.limit, self.stream.write_all(&packet)).await;
        match sending {
            Err(_) => return Err(self.timed_out("send")),
            Ok(Err(source)) => return Err(ControlError::Io { device, source }),
            Ok(Ok(())) => {}
        }
        // One limit over all pieces: an answer dribbled for ever is no answer.
        let Ok(reply) = timeout(self.limit, self.receive()).await else {
            return Err(self.timed_out("answer"));
        };
        let reply = reply?;
        match &reply.name {
            Some(got) if *got != request.name => Err(ControlError::Mismatch {
                device,
                asked: request.name.clone(),
                got: got.clone(),
            }),
            _ => Ok(reply),
        }
    }

    async fn receive(&mut self) -> Result<GetSetReply, ControlError> {
        let device = self.device;
        let malformed = |source| ControlError::Malformed { device, source };
        let mut buffer = [0; 2048];
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(malformed)? {
                return GetSetReply::decode(&frame).map_err(malformed);
            }
            let read = self.stream.read(&mut buffer).await;
            let length = read.map_err(|source| ControlError::Io { device, source })?;
            if length == 0 {
                return Err(if self.decoder.pending() == 0 {
                    ControlError::Closed { device }
                } else {
                    let source = io::ErrorKind::UnexpectedEof.into();
                    ControlError::Io { device, source }
                });
            }
            self.decoder.push(buffer.get(..length).unwrap_or_default());
        }
    }

    const fn timed_out(&self, operation: &'static str) -> ControlError {
        ControlError::TimedOut { device: self.device, operation, after: self.limit }
    }
}
