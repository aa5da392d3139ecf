//! Answers control requests, well or badly.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use jellynet_netif::unmapped;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Shared;
use super::config::Faults;
use super::stream::take_keepalives;
use crate::wire::{Frame, FrameDecoder, GetSetReply, GetSetRequest, PacketType, TlvWriter, Tlvs};

pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    // Ends the connections with the device.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(Arc::clone(&shared), stream));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(shared: Arc<Shared>, mut stream: TcpStream) -> io::Result<()> {
    let asker = unmapped(stream.peer_addr()?.ip());
    let local = unmapped(stream.local_addr()?.ip());
    stream.set_nodelay(true)?;
    let mut decoder = FrameDecoder::new();
    let mut buffer = [0; 2048];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        decoder.push(buffer.get(..length).unwrap_or_default());
        while let Some(frame) = decoder.next_frame().map_err(io::Error::other)? {
            let request = GetSetRequest::decode(&frame).map_err(io::Error::other)?;
            let faults = shared.lock().config.faults.clone();
            if faults.silent {
                continue;
            }
            if faults.hang_up > 0 {
                shared.lock().config.faults.hang_up -= 1;
                return Ok(());
            }
            let reply = answer(&shared, &request, asker, local);
            if !send(&mut stream, &reply, &faults).await? {
                return Ok(());
            }
        }
    }
}

fn answer(shared: &Shared, request: &GetSetRequest, asker: IpAddr, local: IpAddr) -> GetSetReply {
    take_keepalives(shared);
    shared.lock().answer(request, asker, local, Instant::now())
}

/// Sends a reply as the faults have it; `false` when the connection is to be closed.
async fn send(stream: &mut TcpStream, reply: &GetSetReply, faults: &Faults) -> io::Result<bool> {
    let mut packet = BytesMut::from(&reply.encode().map_err(io::Error::other)?[..]);
    if faults.unknown_tags {
        packet = BytesMut::from(&with_unknown_tags(&packet).map_err(io::Error::other)?[..]);
    }
    if faults.truncated_length {
        packet = BytesMut::from(&ending_in_a_length().map_err(io::Error::other)?[..]);
    }
    if faults.bad_crc
        && let Some(last) = packet.last_mut()
    {
        *last ^= 0xFF;
    }
    if let Some(delay) = faults.delay {
        sleep(delay).await;
    }
    if faults.cut_off {
        let half = packet.len() / 2;
        stream.write_all(packet.get(..half).unwrap_or_default()).await?;
        return Ok(false);
    }
    if faults.two_replies {
        let copy = packet.clone();
        packet.put_slice(&copy);
    }
    if faults.dribble {
        for byte in &packet {
            stream.write_all(&[*byte]).await?;
            tokio::task::yield_now().await;
        }
    } else {
        stream.write_all(&packet).await?;
    }
    Ok(true)
}

fn with_unknown_tags(packet: &[u8]) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let frame = Frame::decode(packet)?;
    let mut payload = TlvWriter::new().bytes(0x7E, &[1, 2, 3]);
    for tlv in Tlvs::new(&frame.payload) {
        let tlv = tlv?;
        payload = payload.bytes(tlv.tag, tlv.value).bytes(0x7F, b"future");
    }
    let frame = Frame { kind: frame.kind, payload: payload.finish()? };
    Ok(frame.encode()?)
}

fn ending_in_a_length() -> Result<Bytes, crate::wire::EncodeError> {
    let frame =
        Frame { kind: PacketType::GETSET_REPLY, payload: Bytes::from_static(&[0x04, 0x85]) };
    frame.encode()
}
