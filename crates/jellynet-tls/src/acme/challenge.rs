//! Sets up the proof for one name, and clears it away again.

use std::net::IpAddr;
use std::sync::Arc;

use instant_acme::{ChallengeType, KeyAuthorization};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{AcmeError, Challenge, DnsProvider, Http01};
use crate::store::IdentityStore;

/// The challenge as the authority names it.
pub(super) fn kind(challenge: &Challenge) -> (ChallengeType, &'static str) {
    match challenge {
        Challenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        Challenge::Http01 => (ChallengeType::Http01, "http-01"),
        Challenge::Dns01(_) => (ChallengeType::Dns01, "dns-01"),
        Challenge::DnsPersist01 { .. } => {
            let name = "dns-persist-01";
            (ChallengeType::Unknown(name.to_owned()), name)
        }
    }
}

/// A proof that stands until it is cleared away.
pub(super) enum Proof {
    Handshake { host: String },
    Token { token: String },
    Record { name: String, value: String, provider: Arc<dyn DnsProvider> },
    Standing,
}

/// Where proofs are put.
#[derive(Clone, Debug)]
pub(super) struct Board {
    pub(super) store: IdentityStore,
    pub(super) http01: Http01,
}

impl Board {
    /// Sets up the proof for `name`, which is without its `*.`.
    pub(super) async fn put(
        &self,
        challenge: &Challenge,
        name: &str,
        token: &str,
        authorization: &KeyAuthorization,
    ) -> Result<Proof, AcmeError> {
        match challenge {
            Challenge::TlsAlpn01 => {
                let certificate = certificate(&self.store, name, authorization)?;
                let host = host(name);
                self.store.set_challenge(&host, Some(&Arc::new(certificate)));
                Ok(Proof::Handshake { host })
            }
            Challenge::Http01 => {
                self.http01.add(token, authorization.as_str());
                Ok(Proof::Token { token: token.to_owned() })
            }
            Challenge::Dns01(provider) => {
                let record = format!("_acme-challenge.{name}");
                let value = authorization.dns_value();
                provider
                    .add_txt(&record, &value)
                    .await
                    .map_err(|source| AcmeError::Dns { name: record.clone(), source })?;
                Ok(Proof::Record { name: record, value, provider: Arc::clone(provider) })
            }
            Challenge::DnsPersist01 { .. } => Ok(Proof::Standing),
        }
    }

    /// Clears it away. A record that stays does no harm.
    pub(super) async fn clear(&self, proof: Proof) {
        match proof {
            Proof::Handshake { host } => self.store.set_challenge(&host, None),
            Proof::Token { token } => self.http01.remove(&token),
            Proof::Record { name, value, provider } => {
                let _ = provider.remove_txt(&name, &value).await;
            }
            Proof::Standing => {}
        }
    }
}

/// The certificate of RFC 8737 § 3.
fn certificate(
    store: &IdentityStore,
    name: &str,
    authorization: &KeyAuthorization,
) -> Result<CertifiedKey, AcmeError> {
    let failed = |error: &dyn std::fmt::Display| AcmeError::Challenge { reason: error.to_string() };
    let mut params = CertificateParams::new([name.to_owned()]).map_err(|error| failed(&error))?;
    let extension = CustomExtension::new_acme_identifier(authorization.digest().as_ref());
    params.custom_extensions = vec![extension];
    let key = KeyPair::generate().map_err(|error| failed(&error))?;
    let certificate = params.self_signed(&key).map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = store.loader().provider();
    let signing = provider.key_provider.load_private_key(key).map_err(|error| failed(&error))?;
    // `CertifiedKey::from_der` would refuse the critical extension.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], signing))
}

/// The name in the handshake; for an address its reverse name (RFC 8738 § 6).
fn host(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Ok(IpAddr::V6(v6)) => {
            let digits = crate::identity::hex(&v6.octets());
            let reversed: Vec<String> = digits.chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa", reversed.join("."))
        }
        Err(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_reverse_names() {
        assert_eq!(host("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        assert_eq!(host("tv.example.org"), "tv.example.org");
        let v6 = host("2001:db8::1");
        assert!(v6.starts_with("1.0.0.0.") && v6.ends_with("8.b.d.0.1.0.0.2.ip6.arpa"), "{v6}");
    }
}
