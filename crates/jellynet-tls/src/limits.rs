//! How much a file may ask for, and the account of what it has asked for.

use std::cell::Cell;

use crate::error::DecodeError;

/// Bounds on the work that a file may cause; they are checked before the work is done.
///
/// .NET's own bounds (300,000 rounds per derivation) are too low: NSS and GnuTLS write 600,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one file. Default: 4 MiB.
    pub file_bytes: usize,
    /// Keys, certificates and other entries of one PKCS#12 file. Default: 500.
    pub bags: usize,
    /// Rounds of one key derivation. Default: 5,000,000.
    pub rounds_each: u64,
    /// Hash rounds of all the derivations of one file; one of SHA-384 or SHA-512 counts twice.
    /// Default: 10,000,000.
    pub rounds_total: u64,
    /// Bytes of memory of one scrypt derivation. Default: 64 MiB.
    pub scrypt_bytes: u64,
    /// Levels of safe contents within safe contents. Default: 8.
    pub nesting: usize,
}

impl Limits {
    /// The defaults, as listed at each field.
    pub const DEFAULT: Self = Self {
        file_bytes: 4 << 20,
        bags: 500,
        rounds_each: 5_000_000,
        rounds_total: 10_000_000,
        scrypt_bytes: 64 << 20,
        nesting: 8,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What one file has spent of its [`Limits`].
pub(crate) struct Budget {
    pub(crate) limits: Limits,
    rounds: Cell<u64>,
    bags: Cell<usize>,
}

impl Budget {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self { limits, rounds: Cell::new(0), bags: Cell::new(0) }
    }

    /// Pays for one derivation before it is made: `rounds` for each of `blocks` blocks of output.
    pub(crate) fn derivation(
        &self,
        rounds: u64,
        blocks: u64,
        weight: u64,
    ) -> Result<u32, DecodeError> {
        let exceeded = |limit| DecodeError::LimitExceeded {
            what: "key-derivation rounds",
            asked: rounds,
            limit,
        };
        if rounds > self.limits.rounds_each {
            return Err(exceeded(self.limits.rounds_each));
        }
        let cost = rounds.saturating_mul(blocks.max(1)).saturating_mul(weight);
        self.spend(cost)?;
        u32::try_from(rounds).map_err(|_| exceeded(u32::MAX.into()))
    }

    /// Pays for an scrypt derivation.
    pub(crate) fn scrypt(&self, cost: u64, block: u64, lanes: u64) -> Result<(), DecodeError> {
        let memory = cost.saturating_mul(block).saturating_mul(128);
        if memory > self.limits.scrypt_bytes {
            return Err(DecodeError::LimitExceeded {
                what: "bytes of memory for scrypt",
                asked: memory,
                limit: self.limits.scrypt_bytes,
            });
        }
        self.spend(Self::scrypt_cost(cost, block, lanes))
    }

    /// What an scrypt derivation counts as, in rounds.
    pub(crate) const fn scrypt_cost(cost: u64, block: u64, lanes: u64) -> u64 {
        cost.saturating_mul(block).saturating_mul(lanes).saturating_mul(2)
    }

    /// Refuses a file that asks for too much, before any of it is done.
    pub(crate) fn forecast(&self, cost: u64) -> Result<(), DecodeError> {
        if cost <= self.limits.rounds_total {
            return Ok(());
        }
        Err(DecodeError::LimitExceeded {
            what: "key-derivation rounds in all",
            asked: cost,
            limit: self.limits.rounds_total,
        })
    }

    fn spend(&self, cost: u64) -> Result<(), DecodeError> {
        let spent = self.rounds.get().saturating_add(cost);
        if spent > self.limits.rounds_total {
            return Err(DecodeError::LimitExceeded {
                what: "hash rounds in all",
                asked: spent,
                limit: self.limits.rounds_total,
            });
        }
        self.rounds.set(spent);
        Ok(())
    }

    /// Counts one entry of the file.
    pub(crate) fn bag(&self) -> Result<(), DecodeError> {
        let bags = self.bags.get() + 1;
        self.bags.set(bags);
        if bags <= self.limits.bags {
            return Ok(());
        }
        Err(limit_exceeded("entries", bags, self.limits.bags))
    }

    /// Checks how deep safe contents are nested.
    pub(crate) fn nesting(&self, depth: usize) -> Result<(), DecodeError> {
        if depth <= self.limits.nesting {
            return Ok(());
        }
        Err(limit_exceeded("levels of nesting", depth, self.limits.nesting))
    }
}

/// The error for sizes and counts.
pub(crate) fn limit_exceeded(what: &'static str, asked: usize, limit: usize) -> DecodeError {
    DecodeError::LimitExceeded {
        what,
        asked: asked.try_into().unwrap_or(u64::MAX),
        limit: limit.try_into().unwrap_or(u64::MAX),
    }
}
