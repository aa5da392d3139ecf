//! What is wrong with an entry, and what was probably meant.

use std::net::{Ipv4Addr, SocketAddr};

use super::entry::{BadSubnetReason, netmask_bits, parse_net, split_exclusion, split_prefix};
use super::named::NamedSubnets;

/// Why `text`, an entry without its `!`, cannot be read.
pub(super) fn reason(text: &str) -> BadSubnetReason {
    if text.is_empty() {
        return BadSubnetReason::Empty;
    }
    if text.starts_with('!') {
        return BadSubnetReason::ExcludedTwice;
    }
    if text.contains("://") {
        return BadSubnetReason::Url;
    }
    if text.contains([',', ';']) || several_words(text) {
        return BadSubnetReason::Several;
    }
    if text.contains(char::is_whitespace) {
        return BadSubnetReason::Blank;
    }
    if text.parse::<SocketAddr>().is_ok() {
        return BadSubnetReason::Port;
    }
    let Some((address, prefix)) = split_prefix(text) else {
        return BadSubnetReason::NotASubnet;
    };
    match (parse_net(address), prefix) {
        (Some(host), Some(prefix)) => prefix_reason(host.max_prefix_len(), address, prefix),
        (Some(_) | None, _) => address_reason(address),
    }
}

fn several_words(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.clone().count() > 1 && words.all(|word| parse_net(word).is_some())
}

fn prefix_reason(max: u8, address: &str, prefix: &str) -> BadSubnetReason {
    if prefix.parse::<Ipv4Addr>().is_ok() {
        return BadSubnetReason::Netmask;
    }
    if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) {
        return BadSubnetReason::PrefixSyntax;
    }
    let bits = prefix.parse::<u32>().unwrap_or(u32::MAX);
    if address.contains(':') && max == 32 && bits < 96 {
        return BadSubnetReason::MappedPrefix;
    }
    let max = if address.contains(':') { 128 } else { max };
    if bits > u32::from(max) {
        return BadSubnetReason::PrefixTooLong { max };
    }
    BadSubnetReason::PrefixSyntax
}

fn address_reason(address: &str) -> BadSubnetReason {
    let is_range = |(from, to): (&str, &str)| {
        parse_net(from.trim()).is_some() && to.trim().starts_with(|c: char| c.is_ascii_hexdigit())
    };
    if address.split_once('-').is_some_and(is_range) {
        return BadSubnetReason::Range;
    }
    if address.contains(':') {
        let short = complete_ipv6(address).is_some();
        return if short { BadSubnetReason::ShortIpv6 } else { BadSubnetReason::NotASubnet };
    }
    match ipv4_parts(address) {
        Some((parts, _)) if parts.len() < 4 => BadSubnetReason::ShortIpv4,
        Some((_, true)) => BadSubnetReason::ShortIpv4,
        Some(_) => BadSubnetReason::LeadingZeros,
        None => BadSubnetReason::NotASubnet,
    }
}

/// What was probably meant by a bad entry, with its `!`. Whatever is returned can be read.
pub(super) fn corrected(entry: &str) -> Option<String> {
    let (exclude, text) = split_exclusion(entry);
    let text = text.trim_start_matches(['!', ' ']);
    let text = correct(text)?;
    Some(if exclude { format!("!{text}") } else { text })
}

fn correct(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next()?;
        return correct(authority);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip().to_string());
    }
    let readable = |text: &String| parse_net(text).is_some();
    let joined: String = text.split_whitespace().collect();
    if !several_words(text) && (readable(&joined) || NamedSubnets::from_name(&joined).is_some()) {
        return Some(joined);
    }
    let (address, prefix) = split_prefix(text)?;
    let (address, implied) = correct_address(address.trim());
    let prefix = prefix.map(|prefix| correct_prefix(prefix.trim()));
    let corrected = match prefix.or(implied) {
        Some(prefix) => format!("{address}/{prefix}"),
        None => address.clone(),
    };
    Some(corrected).filter(readable).or_else(|| {
        // `::ffff:10.0.0.0/8`: the prefix was counted as for IPv4.
        let (_, v4) = address.rsplit_once(':')?;
        let prefix = split_prefix(text)?.1?;
        Some(format!("{v4}/{prefix}")).filter(readable)
    })
}

/// The corrected address, and the prefix length that its parts imply.
fn correct_address(address: &str) -> (String, Option<String>) {
    if address.contains(':') {
        let complete = complete_ipv6(address);
        return complete.unwrap_or_else(|| (address.to_owned(), None));
    }
    let address = address.split('%').next().unwrap_or(address);
    let Some((mut parts, wildcard)) = ipv4_parts(address) else {
        return (address.to_owned(), None);
    };
    let implied = (wildcard || parts.len() < 4).then(|| (parts.len() * 8).to_string());
    parts.resize(4, 0);
    let parts: Vec<_> = parts.iter().map(u8::to_string).collect();
    (parts.join("."), implied)
}

fn correct_prefix(prefix: &str) -> String {
    if let Some(bits) = prefix.parse().ok().and_then(netmask_bits) {
        return bits.to_string();
    }
    match prefix.trim_start_matches('0') {
        "" => prefix.get(..1).unwrap_or_default(),
        digits => digits,
    }
    .to_owned()
}

/// One to four decimal numbers between dots, leading zeros allowed; and whether `*` stood in the
/// place of the last ones.
fn ipv4_parts(text: &str) -> Option<(Vec<u8>, bool)> {
    let starless = text.trim_end_matches(".*");
    let (numbers, wildcard) = (starless.trim_end_matches('.'), starless != text);
    let parts: Vec<u8> = numbers
        .split('.')
        .map(|part| {
            let digits = part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        })
        .collect::<Option<_>>()?;
    (parts.len() <= 4 && !(wildcard && parts.len() == 4)).then_some((parts, wildcard))
}

/// Ends an IPv6 address of fewer than eight groups with `::`; the groups imply the prefix.
fn complete_ipv6(address: &str) -> Option<(String, Option<String>)> {
    let groups = address.trim_end_matches(':');
    let count = groups.split(':').count();
    if groups.contains("::") || count >= 8 || address.contains('%') {
        return None;
    }
    let complete = format!("{groups}::");
    parse_net(&complete)?;
    Some((complete, Some((count * 16).to_string())))
}
