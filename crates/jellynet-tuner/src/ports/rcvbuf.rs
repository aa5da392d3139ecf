//! The receive buffer: the one setting that decides whether a stalled reader loses packets.

use std::io;
use std::time::Duration;

use socket2::Socket;

/// What a datagram of 1,316 bytes takes of the buffer on Linux, measured; other payloads of a
/// tuner are no longer.
const CHARGE: u64 = 2305;

/// The bits of one datagram's payload.
const DATAGRAM_BITS: u64 = 1316 * 8;

/// How to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RxOptions {
    /// Bytes of receive buffer to ask for. Default: 4 MiB, two seconds of an ATSC mux.
    pub buffer: usize,
}

impl Default for RxOptions {
    fn default() -> Self {
        Self { buffer: 4 << 20 }
    }
}

impl RxOptions {
    /// A buffer that holds `stall` of a stream of `bits_per_second`.
    #[must_use]
    pub fn for_stall(bits_per_second: u64, stall: Duration) -> Self {
        let bits = u128::from(bits_per_second).saturating_mul(stall.as_millis()) / 1000;
        let datagrams = bits.div_ceil(u128::from(DATAGRAM_BITS));
        // Linux grants twice what is asked, and charges CHARGE against that.
        let bytes = datagrams.saturating_mul(u128::from(CHARGE)) / 2 + 1;
        Self { buffer: usize::try_from(bytes).unwrap_or(usize::MAX).min(1 << 30) }
    }
}

/// The receive buffer that the system granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Granted {
    /// Bytes that were asked for.
    pub asked: usize,
    /// Bytes as the system accounts for them; Linux counts its own overhead in, which is why
    /// this is twice what was asked when all was granted.
    pub got: usize,
}

impl Granted {
    /// How many datagrams fit.
    #[must_use]
    pub const fn datagrams(&self) -> u64 {
        self.got as u64 / CHARGE
    }

    /// How long a reader may stall before a stream of `bits_per_second` loses packets.
    #[must_use]
    pub fn holds(&self, bits_per_second: u64) -> Duration {
        let bits = self.datagrams() * DATAGRAM_BITS;
        Duration::from_micros(bits.saturating_mul(1_000_000) / bits_per_second.max(1))
    }

    /// Whether the system granted less than was asked for.
    #[must_use]
    pub const fn is_clamped(&self) -> bool {
        let whole =
            if cfg!(target_os = "linux") { self.asked.saturating_mul(2) } else { self.asked };
        self.got < whole
    }

    /// What the operator can do about a clamped buffer.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let asked = self.asked;
        self.is_clamped().then(|| {
            if cfg!(target_os = "linux") {
                format!("sysctl -w net.core.rmem_max={asked}")
            } else {
                format!("sysctl -w kern.ipc.maxsockbuf={asked}")
            }
        })
    }
}

/// Asks for the buffer and reads back what was granted.
pub(super) fn grant(socket: &Socket, options: RxOptions) -> io::Result<Granted> {
    let mut ask = options.buffer;
    // BSD and macOS refuse what exceeds their limit instead of clamping it.
    while socket.set_recv_buffer_size(ask).is_err() && ask > 1 << 16 {
        ask /= 2;
    }
    Ok(Granted { asked: options.buffer, got: socket.recv_buffer_size()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_told_in_time_of_stream() {
        for (got, datagrams, millis) in
            [(212_992, 92, 49), (2_097_152, 909, 493), (8_388_608, 3639, 1975)]
        {
            let granted = Granted { asked: got / 2, got };
            assert_eq!(granted.datagrams(), datagrams);
            let held = granted.holds(19_390_000).as_millis();
            assert!(held.abs_diff(millis) <= 2, "{held}");
        }
        assert!(Granted { asked: 0, got: 1 }.holds(0) < Duration::from_secs(1));
    }

    #[test]
    fn asking_for_a_stall_gives_a_buffer_that_holds_it() {
        let stall = Duration::from_millis(500);
        let options = RxOptions::for_stall(20_000_000, stall);
        let granted = Granted { asked: options.buffer, got: options.buffer * 2 };
        assert!(granted.holds(20_000_000) >= stall);
        assert!(granted.holds(20_000_000) < stall + Duration::from_millis(5));
        assert_eq!(RxOptions::for_stall(u64::MAX, Duration::MAX).buffer, 1 << 30);
    }
}
