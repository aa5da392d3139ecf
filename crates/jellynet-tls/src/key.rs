//! Private keys: which type, and in a form that every provider reads.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::der::{self, Malformed, Reader, strip_leading_zeros, write};
use crate::error::DecodeError;
use crate::oid::{self, Oid};
use crate::x509::Certificate;

/// Type and size of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA with a modulus of this many bits.
    Rsa(usize),
    /// ECDSA on NIST P-256.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// ECDSA on NIST P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// Anything else, by name; no TLS server of this crate can use it.
    Other(String),
}

/// As reports show it, such as `rsa-2048` or `ecdsa-p256`.
impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "rsa-{bits}"),
            Self::EcdsaP256 => f.write_str("ecdsa-p256"),
            Self::EcdsaP384 => f.write_str("ecdsa-p384"),
            Self::EcdsaP521 => f.write_str("ecdsa-p521"),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::Other(name) => f.write_str(&name.to_ascii_lowercase()),
        }
    }
}

impl KeyKind {
    /// By the AlgorithmIdentifier of a SubjectPublicKeyInfo and the public key itself.
    pub(crate) fn of_public_key(algorithm: Reader<'_>, key: &[u8]) -> Result<Self, Malformed> {
        Self::of(algorithm, || {
            let modulus = Reader::new(key).sequence()?.expect(der::INTEGER)?.value;
            Ok(modulus)
        })
    }

    fn of<'a>(
        mut algorithm: Reader<'_>,
        modulus: impl FnOnce() -> Result<&'a [u8], Malformed>,
    ) -> Result<Self, Malformed> {
        Ok(match algorithm.oid()? {
            oid::RSA => Self::Rsa(bits(modulus()?)),
            oid::EC => match algorithm.optional(der::OID)? {
                Some(curve) => Self::of_curve(curve.value),
                None => Self::Other("EC with explicit parameters".to_owned()),
            },
            oid::ED25519 => Self::Ed25519,
            other => Self::Other(oid::name(other)),
        })
    }

    fn of_curve(curve: &Oid) -> Self {
        match curve {
            oid::P256 => Self::EcdsaP256,
            oid::P384 => Self::EcdsaP384,
            oid::P521 => Self::EcdsaP521,
            other => Self::Other(oid::name(other)),
        }
    }

    /// Smaller is preferred: what costs the server least comes first.
    pub(crate) const fn cost(&self) -> u8 {
        match self {
            Self::EcdsaP256 => 0,
            Self::Ed25519 => 1,
            Self::EcdsaP384 => 2,
            Self::EcdsaP521 => 3,
            Self::Rsa(_) => 4,
            Self::Other(_) => 5,
        }
    }

    fn refusal(&self) -> String {
        match self {
            Self::Rsa(bits) if *bits < 2048 => {
                format!("the RSA key has {bits} bits: too weak, at least 2048 are needed")
            }
            Self::Rsa(bits) => format!("the RSA key has {bits} bits: too many for this build"),
            Self::Other(name) => {
                format!("{name} keys cannot be used for TLS servers by this build")
            }
            kind => format!("this {kind} key cannot be used by this build"),
        }
    }
}

fn bits(modulus: &[u8]) -> usize {
    let digits = strip_leading_zeros(modulus);
    let spare = digits.first().map_or(0, |first| first.leading_zeros());
    (digits.len() * 8).saturating_sub(usize::try_from(spare).unwrap_or(0))
}

/// A private key in PKCS#8, of a known type, not yet tried.
pub(crate) struct PrivateKey {
    pub(crate) kind: KeyKind,
    /// PKCS#8 without attributes and without a public key.
    pub(crate) pkcs8: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// Reads PKCS#8, PKCS#1 or SEC 1.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Reader::new(bytes).sequence()?;
        let version = fields.count()?;
        match fields.peek() {
            Some(der::SEQUENCE) => Self::from_pkcs8(fields),
            Some(der::INTEGER) => Self::from_integers(bytes, fields),
            Some(der::OCTET_STRING) if version == 1 => Self::from_sec1(bytes),
            _ => Err(Malformed("a private key is not readable").into()),
        }
    }

    fn from_pkcs8(mut fields: Reader<'_>) -> Result<Self, DecodeError> {
        let algorithm = fields.expect(der::SEQUENCE)?;
        let inner = fields.octets()?;
        let kind = KeyKind::of(algorithm.inside(), || rsa_modulus(inner))?;
        let pkcs8 = write::sequence(&[
            &write::unsigned(0),
            algorithm.raw,
            &Zeroizing::new(write::octets(inner)),
        ]);
        Ok(Self { kind, pkcs8: Zeroizing::new(pkcs8) })
    }

    /// PKCS#1 (RFC 8017 appendix A.1.2), or OpenSSL's form of DSA keys, which is shorter.
    fn from_integers(bytes: &[u8], mut fields: Reader<'_>) -> Result<Self, DecodeError> {
        let mut count = 0;
        while !fields.is_empty() {
            fields.any()?;
            count += 1;
        }
        if count < 8 {
            let what = KeyKind::Other("DSA".to_owned()).refusal();
            return Err(DecodeError::UnsupportedKey { what });
        }
        let algorithm = write::sequence(&[&write::oid(oid::RSA), &write::null()]);
        Self::wrapped(&algorithm, bytes)
    }

    /// RFC 5915; the curve is optional there and stands in PKCS#8 here.
    fn from_sec1(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Reader::new(bytes).sequence()?;
        fields.count()?;
        fields.octets()?;
        let curve = fields
            .optional(der::context(0))?
            .ok_or(Malformed("the private key does not name its curve"))?;
        let algorithm = write::sequence(&[&write::oid(oid::EC), curve.value]);
        Self::wrapped(&algorithm, bytes)
    }

    fn wrapped(algorithm: &[u8], inner: &[u8]) -> Result<Self, DecodeError> {
        let inner = Zeroizing::new(write::octets(inner));
        let fields = Zeroizing::new([algorithm, &inner].concat());
        Self::from_pkcs8(Reader::new(&fields))
    }

    /// Hands the key to the provider; `certificates` help where it needs the public key as well.
    pub(crate) fn load(
        &self,
        provider: &CryptoProvider,
        certificates: &[Certificate],
    ) -> Result<LoadedKey, DecodeError> {
        let load = |pkcs8: &[u8]| {
            let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
            provider.key_provider.load_private_key(der).ok()
        };
        let completed = || {
            // ring insists on the public key that RFC 5915 leaves optional, and checks it.
            certificates
                .iter()
                .filter(|certificate| certificate.key == self.kind)
                .filter_map(|certificate| self.with_public_key(&certificate.public_key).ok())
                .find_map(|pkcs8| load(&pkcs8))
        };
        let signing = load(&self.pkcs8)
            .or_else(completed)
            .ok_or_else(|| DecodeError::UnsupportedKey { what: self.kind.refusal() })?;
        let spki = signing.public_key().map(|spki| spki.to_vec()).unwrap_or_default();
        let public_key = public_key_bits(&spki).unwrap_or_default().to_vec();
        Ok(LoadedKey { signing, spki, public_key })
    }

    /// An elliptic key with its public key put in.
    fn with_public_key(&self, public_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
        let mut fields = Reader::new(&self.pkcs8).sequence()?;
        fields.count()?;
        let algorithm = fields.expect(der::SEQUENCE)?;
        let mut inner = Reader::new(fields.octets()?).sequence()?;
        inner.count()?;
        let scalar = inner.octets()?;
        let point = write::wrap(der::context(1), &[&write::bits(public_key)]);
        let inner = Zeroizing::new(write::sequence(&[
            &write::unsigned(1),
            &Zeroizing::new(write::octets(scalar)),
            &point,
        ]));
        let whole = [&write::unsigned(0), algorithm.raw, &Zeroizing::new(write::octets(&inner))];
        Ok(Zeroizing::new(write::sequence(&whole)))
    }
}

fn rsa_modulus(pkcs1: &[u8]) -> Result<&[u8], Malformed> {
    let mut key = Reader::new(pkcs1).sequence()?;
    key.count()?;
    Ok(key.expect(der::INTEGER)?.value)
}

fn public_key_bits(spki: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = Reader::new(spki).sequence()?;
    fields.sequence()?;
    fields.bits()
}

/// A key that the provider signs with.
pub(crate) struct LoadedKey {
    pub(crate) signing: Arc<dyn SigningKey>,
    pub(crate) spki: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
}
