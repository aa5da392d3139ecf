//! Writes PKCS#12 files (RFC 7292) that OpenSSL, Java, Windows and .NET read.

use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::digest::{Hash, Purpose};
use super::pbe::Cipher;
use crate::der::{self, write};
use crate::oid;

/// How a PKCS#12 file is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encryption {
    /// AES-256 with PBKDF2-HMAC-SHA-256, as OpenSSL 3 and Java write it. 100,000 rounds: within
    /// the limits of .NET, and so of Jellyfin.
    #[default]
    Modern,
    /// Triple DES and SHA-1, for Windows Server 2016, macOS 10 and Java before 8u301.
    Legacy,
}

/// What goes into a file.
pub(crate) struct Contents<'a> {
    pub(crate) pkcs8: &'a [u8],
    pub(crate) chain: &'a [CertificateDer<'static>],
    /// Shown by Windows, and Java's alias.
    pub(crate) friendly_name: &'a str,
}

/// The whole file; `None` where the provider has no random octets.
pub(crate) fn write(
    contents: &Contents<'_>,
    password: &str,
    encryption: Encryption,
    provider: &CryptoProvider,
) -> Option<Zeroizing<Vec<u8>>> {
    let writer = Writer { encryption, password, provider };
    let leaf = contents.chain.first().map(|leaf| leaf.as_ref()).unwrap_or_default();
    let local_key_id = super::sha256(leaf);
    let attributes = attributes(contents.friendly_name, &local_key_id);
    let certificates: Vec<Vec<u8>> = contents
        .chain
        .iter()
        .enumerate()
        .map(|(place, der)| certificate_bag(der, if place == 0 { &attributes } else { &[] }))
        .collect();
    let certificates = write::sequence(&[&certificates.concat()]);
    let safe = write::sequence(&[
        &encrypted_info(&writer.encrypt(&certificates)?),
        &data_info(&write::sequence(&[&key_bag(&writer.encrypt(contents.pkcs8)?, &attributes)])),
    ]);
    let mac = writer.mac(&safe)?;
    Some(Zeroizing::new(write::sequence(&[&write::unsigned(3), &data_info(&safe), &mac])))
}

/// Ciphertext and the AlgorithmIdentifier that says how it came about.
struct Encrypted {
    algorithm: Vec<u8>,
    text: Vec<u8>,
}

struct Writer<'a> {
    encryption: Encryption,
    password: &'a str,
    provider: &'a CryptoProvider,
}

impl Writer<'_> {
    const fn rounds(&self) -> u32 {
        match self.encryption {
            Encryption::Modern => 100_000,
            Encryption::Legacy => 2048,
        }
    }

    fn random<const N: usize>(&self) -> Option<[u8; N]> {
        let mut octets = [0; N];
        self.provider.secure_random.fill(&mut octets).ok()?;
        Some(octets)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Encrypted> {
        match self.encryption {
            Encryption::Modern => self.pbes2(plain),
            Encryption::Legacy => self.triple_des(plain),
        }
    }

    fn pbes2(&self, plain: &[u8]) -> Option<Encrypted> {
        let salt: [u8; 16] = self.random()?;
        let iv: [u8; 16] = self.random()?;
        let mut key = Zeroizing::new([0; 32]);
        Hash::Sha256.pbkdf2(self.password.as_bytes(), &salt, self.rounds(), &mut *key);
        let prf = write::sequence(&[&write::oid(oid::HMAC_SHA256), &write::null()]);
        let params = [&write::octets(&salt)[..], &write::unsigned(self.rounds().into()), &prf];
        let kdf = write::sequence(&[&write::oid(oid::PBKDF2), &write::sequence(&params)]);
        let cipher = write::sequence(&[&write::oid(oid::AES256_CBC), &write::octets(&iv)]);
        let algorithm =
            write::sequence(&[&write::oid(oid::PBES2), &write::sequence(&[&kdf, &cipher])]);
        Some(Encrypted { algorithm, text: Cipher::Aes256.encrypt(&*key, &iv, plain)? })
    }

    fn triple_des(&self, plain: &[u8]) -> Option<Encrypted> {
        let salt: [u8; 8] = self.random()?;
        let derive = |purpose, length| {
            let password = super::password::utf16(self.password);
            Hash::Sha1.pkcs12_kdf(purpose, &password, &salt, self.rounds(), length)
        };
        let (key, iv) = (derive(Purpose::Key, 24), derive(Purpose::Iv, 8));
        let params = [&write::octets(&salt)[..], &write::unsigned(self.rounds().into())];
        let algorithm =
            write::sequence(&[&write::oid(oid::PBE_SHA1_3DES), &write::sequence(&params)]);
        Some(Encrypted { algorithm, text: Cipher::TripleDes.encrypt(&key, &iv, plain)? })
    }

    fn mac(&self, safe: &[u8]) -> Option<Vec<u8>> {
        let (hash, id) = match self.encryption {
            Encryption::Modern => (Hash::Sha256, oid::SHA256),
            Encryption::Legacy => (Hash::Sha1, oid::SHA1),
        };
        let salt: [u8; 16] = self.random()?;
        let password = super::password::utf16(self.password);
        let length = hash.output_size();
        let key = hash.pkcs12_kdf(Purpose::Mac, &password, &salt, self.rounds(), length);
        let digest = write::sequence(&[
            &write::sequence(&[&write::oid(id), &write::null()]),
            &write::octets(&hash.hmac(&key, safe)),
        ]);
        let rounds = write::unsigned(self.rounds().into());
        Some(write::sequence(&[&digest, &write::octets(&salt), &rounds]))
    }
}

fn data_info(content: &[u8]) -> Vec<u8> {
    let content = write::wrap(der::context(0), &[&write::octets(content)]);
    write::sequence(&[&write::oid(oid::DATA), &content])
}

fn encrypted_info(encrypted: &Encrypted) -> Vec<u8> {
    let text = write::element(der::context_primitive(0), &encrypted.text);
    let info = write::sequence(&[&write::oid(oid::DATA), &encrypted.algorithm, &text]);
    let data = write::sequence(&[&write::unsigned(0), &info]);
    write::sequence(&[&write::oid(oid::ENCRYPTED_DATA), &write::wrap(der::context(0), &[&data])])
}

fn certificate_bag(der: &[u8], attributes: &[u8]) -> Vec<u8> {
    let value = write::wrap(der::context(0), &[&write::octets(der)]);
    let bag = write::sequence(&[&write::oid(oid::X509_CERTIFICATE), &value]);
    let bag = write::wrap(der::context(0), &[&bag]);
    write::sequence(&[&write::oid(oid::CERT_BAG), &bag, attributes])
}

fn key_bag(key: &Encrypted, attributes: &[u8]) -> Vec<u8> {
    let info = write::sequence(&[&key.algorithm, &write::octets(&key.text)]);
    let value = write::wrap(der::context(0), &[&info]);
    write::sequence(&[&write::oid(oid::SHROUDED_KEY_BAG), &value, attributes])
}

/// What ties key and leaf together for readers that go by it.
fn attributes(friendly_name: &str, local_key_id: &[u8]) -> Vec<u8> {
    const BMP_STRING: u8 = 0x1e;
    let name: Vec<u8> = friendly_name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let attribute =
        |id, value: Vec<u8>| write::sequence(&[&write::oid(id), &write::wrap(der::SET, &[&value])]);
    let id = attribute(oid::LOCAL_KEY_ID, write::octets(local_key_id));
    let name = attribute(oid::FRIENDLY_NAME, write::element(BMP_STRING, &name));
    write::wrap(der::SET, &[&id, &name])
}
