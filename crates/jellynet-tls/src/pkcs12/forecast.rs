//! What a file will cost, as far as it can be seen before anything is opened.

use super::{mac, pbe};
use crate::der::{self, Malformed, Reader, ber};
use crate::oid;

/// More levels than any file that the limits let through.
const MAX_NESTING: usize = 8;

/// Rounds of the integrity check, and of everything that is encrypted and stands in the open. What
/// cannot be read costs nothing here; it will be refused.
pub(super) fn cost(mac: Option<Reader<'_>>, safe: &[u8]) -> u64 {
    let mac = mac.and_then(|mac| mac::cost(mac).ok()).unwrap_or(0);
    let mut total = mac;
    // Adds up as far as it can be read.
    let _ = authenticated_safe(safe, &mut total);
    total
}

fn authenticated_safe(safe: &[u8], total: &mut u64) -> Result<(), Malformed> {
    let mut infos = Reader::new(safe).sequence()?;
    while !infos.is_empty() {
        let mut info = infos.sequence()?;
        let kind = info.oid()?;
        let content = info.expect(der::context(0))?;
        match kind {
            oid::DATA => {
                let contents = ber::normalize(content.inside().octets()?)?;
                safe_contents(&contents, 0, total)?;
            }
            oid::ENCRYPTED_DATA => {
                let mut encrypted = content.inside().sequence()?;
                encrypted.count()?;
                let mut info = encrypted.sequence()?;
                info.oid()?;
                *total = total.saturating_add(pbe::cost(info.sequence()?));
            }
            _ => {}
        }
    }
    Ok(())
}

fn safe_contents(contents: &[u8], depth: usize, total: &mut u64) -> Result<(), Malformed> {
    let mut bags = Reader::new(contents).sequence()?;
    while !bags.is_empty() && depth <= MAX_NESTING {
        let mut bag = bags.sequence()?;
        let kind = bag.oid()?;
        let mut value = bag.expect(der::context(0))?.inside();
        match kind {
            oid::SHROUDED_KEY_BAG => {
                let algorithm = value.sequence()?.sequence()?;
                *total = total.saturating_add(pbe::cost(algorithm));
            }
            oid::SAFE_CONTENTS_BAG => safe_contents(value.any()?.raw, depth + 1, total)?,
            _ => {}
        }
    }
    Ok(())
}
