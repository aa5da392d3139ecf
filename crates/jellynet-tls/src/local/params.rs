//! What stands in the certificates that are made here.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyUsagePurpose, NameConstraints, SanType,
};
use time::OffsetDateTime;

use super::{DAY, LocalError, generate};
use crate::identity::LOCAL_AUTHORITY;
use crate::time::Timestamp;

/// Clocks of clients may be behind.
const BACKDATED: Duration = Duration::from_secs(3600);

/// RFC 5280 § 4.2 as Apple and the CA/Browser Forum want it of a server.
pub(super) fn leaf(
    names: &[String],
    lifetime: Duration,
    now: Timestamp,
) -> Result<CertificateParams, LocalError> {
    let common_name = names.first().map_or("jellynet", String::as_str);
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(common_name);
    params.subject_alt_names =
        names.iter().map(|name| alternative_name(name)).collect::<Result<_, _>>()?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    validity(&mut params, lifetime, now)?;
    Ok(params)
}

/// An authority that can vouch only for these names and for addresses of private networks.
pub(super) fn authority(
    id: &str,
    domains: &[String],
    now: Timestamp,
) -> Result<CertificateParams, LocalError> {
    let mut params = CertificateParams::default();
    let prefix = LOCAL_AUTHORITY.trim_start_matches("CN=");
    params.distinguished_name = distinguished_name(&format!("{prefix} {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let names = domains.iter().map(|domain| GeneralSubtree::DnsName(domain.clone()));
    let networks = PRIVATE_NETWORKS.iter().filter_map(|(address, prefix)| {
        let address: IpAddr = address.parse().ok()?;
        Some(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, *prefix)))
    });
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: names.chain(networks).collect(),
        excluded_subtrees: Vec::new(),
    });
    validity(&mut params, 3650 * DAY, now)?;
    Ok(params)
}

/// Loopback, link-local and private networks (RFC 1918, RFC 3927, RFC 4193, RFC 4291, RFC 6598).
pub(super) const PRIVATE_NETWORKS: &[(&str, u8)] = &[
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("169.254.0.0", 16),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("::1", 128),
    ("fc00::", 7),
    ("fe80::", 10),
];

fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn alternative_name(name: &str) -> Result<SanType, LocalError> {
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(ip));
    }
    let invalid = || LocalError::Name { name: name.to_owned() };
    if !is_host_name(name) {
        return Err(invalid());
    }
    name.try_into().map(SanType::DnsName).map_err(|_| invalid())
}

/// RFC 1123 § 2.1, with the underscore that home networks like, and a wildcard in front.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn validity(
    params: &mut CertificateParams,
    lifetime: Duration,
    now: Timestamp,
) -> Result<(), LocalError> {
    let backdated = i64::try_from(BACKDATED.as_secs()).unwrap_or(0);
    let start = Timestamp::from_unix(now.as_unix().saturating_sub(backdated));
    let date =
        |time: Timestamp| OffsetDateTime::from_unix_timestamp(time.as_unix()).map_err(generate);
    params.not_before = date(start)?;
    params.not_after = date(start.plus(lifetime))?;
    Ok(())
}
