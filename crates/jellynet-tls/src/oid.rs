//! Object identifiers, as the content octets that stand in a file.

/// The content octets of an OBJECT IDENTIFIER.
pub(crate) type Oid = [u8];

pub(crate) const DATA: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
pub(crate) const SIGNED_DATA: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
pub(crate) const ENVELOPED_DATA: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
pub(crate) const ENCRYPTED_DATA: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06";
pub(crate) const KEY_BAG: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01";
pub(crate) const SHROUDED_KEY_BAG: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02";
pub(crate) const CERT_BAG: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03";
pub(crate) const SAFE_CONTENTS_BAG: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x06";
pub(crate) const X509_CERTIFICATE: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01";
pub(crate) const FRIENDLY_NAME: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x14";
pub(crate) const LOCAL_KEY_ID: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x15";
pub(crate) const PBE_SHA1_RC4_128: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x01";
pub(crate) const PBE_SHA1_RC4_40: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x02";
pub(crate) const PBE_SHA1_3DES: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03";
pub(crate) const PBE_SHA1_2DES: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x04";
pub(crate) const PBE_SHA1_RC2_128: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x05";
pub(crate) const PBE_SHA1_RC2_40: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x06";
pub(crate) const PBKDF2: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
pub(crate) const PBES2: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";
pub(crate) const PBMAC1: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0e";
pub(crate) const SCRYPT: &Oid = b"\x2b\x06\x01\x04\x01\xda\x47\x04\x0b";
pub(crate) const HMAC_MD5: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x02\x06";
pub(crate) const HMAC_SHA1: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x02\x07";
pub(crate) const HMAC_SHA224: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x02\x08";
pub(crate) const HMAC_SHA256: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x02\x09";
pub(crate) const HMAC_SHA384: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x02\x0a";
pub(crate) const HMAC_SHA512: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x02\x0b";
pub(crate) const HMAC_SHA512_224: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x02\x0c";
pub(crate) const HMAC_SHA512_256: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x02\x0d";
pub(crate) const MD5: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x02\x05";
pub(crate) const SHA1: &Oid = b"\x2b\x0e\x03\x02\x1a";
pub(crate) const SHA224: &Oid = b"\x60\x86\x48\x01\x65\x03\x04\x02\x04";
pub(crate) const SHA256: &Oid = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
pub(crate) const SHA384: &Oid = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02";
pub(crate) const SHA512: &Oid = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03";
pub(crate) const SHA512_224: &Oid = b"\x60\x86\x48\x01\x65\x03\x04\x02\x05";
pub(crate) const SHA512_256: &Oid = b"\x60\x86\x48\x01\x65\x03\x04\x02\x06";
pub(crate) const AES128_CBC: &Oid = b"\x60\x86\x48\x01\x65\x03\x04\x01\x02";
pub(crate) const AES192_CBC: &Oid = b"\x60\x86\x48\x01\x65\x03\x04\x01\x16";
pub(crate) const AES256_CBC: &Oid = b"\x60\x86\x48\x01\x65\x03\x04\x01\x2a";
pub(crate) const DES_EDE3_CBC: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x03\x07";
pub(crate) const RC2_CBC: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x03\x02";
pub(crate) const RSA: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
pub(crate) const RSA_PSS: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
pub(crate) const MD5_WITH_RSA: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04";
pub(crate) const SHA1_WITH_RSA: &Oid = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05";
pub(crate) const SHA1_WITH_ECDSA: &Oid = b"\x2a\x86\x48\xce\x3d\x04\x01";
pub(crate) const EC: &Oid = b"\x2a\x86\x48\xce\x3d\x02\x01";
pub(crate) const P256: &Oid = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
pub(crate) const P384: &Oid = b"\x2b\x81\x04\x00\x22";
pub(crate) const P521: &Oid = b"\x2b\x81\x04\x00\x23";
pub(crate) const ED25519: &Oid = b"\x2b\x65\x70";
pub(crate) const COMMON_NAME: &Oid = b"\x55\x04\x03";
pub(crate) const SUBJECT_KEY_ID: &Oid = b"\x55\x1d\x0e";
pub(crate) const SUBJECT_ALT_NAME: &Oid = b"\x55\x1d\x11";
pub(crate) const NAME_CONSTRAINTS: &Oid = b"\x55\x1d\x1e";
pub(crate) const BASIC_CONSTRAINTS: &Oid = b"\x55\x1d\x13";
pub(crate) const AUTHORITY_KEY_ID: &Oid = b"\x55\x1d\x23";
pub(crate) const EXTENDED_KEY_USAGE: &Oid = b"\x55\x1d\x25";
pub(crate) const ANY_EXTENDED_KEY_USAGE: &Oid = b"\x55\x1d\x25\x00";
pub(crate) const SERVER_AUTH: &Oid = b"\x2b\x06\x01\x05\x05\x07\x03\x01";

/// What the identifiers that occur in key and certificate files are called.
const NAMES: &[(&Oid, &str)] = &[
    (DATA, "PKCS#7 data"),
    (SIGNED_DATA, "PKCS#7 signed data"),
    (ENVELOPED_DATA, "PKCS#7 enveloped data"),
    (ENCRYPTED_DATA, "PKCS#7 encrypted data"),
    (PBE_SHA1_RC4_128, "PBE-SHA1-RC4-128"),
    (PBE_SHA1_RC4_40, "PBE-SHA1-RC4-40"),
    (PBE_SHA1_3DES, "PBE-SHA1-3DES"),
    (PBE_SHA1_2DES, "PBE-SHA1-2DES"),
    (PBE_SHA1_RC2_128, "PBE-SHA1-RC2-128"),
    (PBE_SHA1_RC2_40, "PBE-SHA1-RC2-40"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x01", "PBE-MD2-DES"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x03", "PBE-MD5-DES"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x04", "PBE-MD2-RC2-64"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x06", "PBE-MD5-RC2-64"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0a", "PBE-SHA1-DES"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0b", "PBE-SHA1-RC2-64"),
    (PBKDF2, "PBKDF2"),
    (PBES2, "PBES2"),
    (PBMAC1, "PBMAC1"),
    (SCRYPT, "scrypt"),
    (HMAC_MD5, "HMAC-MD5"),
    (HMAC_SHA1, "HMAC-SHA1"),
    (HMAC_SHA224, "HMAC-SHA224"),
    (HMAC_SHA256, "HMAC-SHA256"),
    (HMAC_SHA384, "HMAC-SHA384"),
    (HMAC_SHA512, "HMAC-SHA512"),
    (HMAC_SHA512_224, "HMAC-SHA512/224"),
    (HMAC_SHA512_256, "HMAC-SHA512/256"),
    (MD5, "MD5"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x02\x02", "MD2"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x02\x04", "MD4"),
    (SHA1, "SHA-1"),
    (SHA224, "SHA-224"),
    (SHA256, "SHA-256"),
    (SHA384, "SHA-384"),
    (SHA512, "SHA-512"),
    (SHA512_224, "SHA-512/224"),
    (SHA512_256, "SHA-512/256"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x08", "SHA3-256"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x09", "SHA3-384"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x0a", "SHA3-512"),
    (b"\x28\xcf\x06\x03\x00\x37", "Whirlpool"),
    (b"\x2b\x24\x03\x02\x01", "RIPEMD-160"),
    (b"\x2a\x81\x1c\xcf\x55\x01\x83\x11", "SM3"),
    (b"\x2a\x85\x03\x07\x01\x01\x02\x02", "GOST R 34.11-2012 (256 bit)"),
    (b"\x2a\x85\x03\x07\x01\x01\x02\x03", "GOST R 34.11-2012 (512 bit)"),
    (b"\x2a\x85\x03\x02\x02\x09", "GOST R 34.11-94"),
    (AES128_CBC, "AES-128-CBC"),
    (AES192_CBC, "AES-192-CBC"),
    (AES256_CBC, "AES-256-CBC"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x01\x06", "AES-128-GCM"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x01\x1a", "AES-192-GCM"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x01\x2e", "AES-256-GCM"),
    (DES_EDE3_CBC, "DES-EDE3-CBC"),
    (RC2_CBC, "RC2-CBC"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x03\x09", "RC5-CBC"),
    (b"\x2b\x0e\x03\x02\x07", "DES-CBC"),
    (b"\x2b\x06\x01\x04\x01\x81\x3c\x07\x01\x01\x02", "IDEA-CBC"),
    (b"\x2b\x06\x01\x04\x01\x97\x55\x01\x02", "BF-CBC"),
    (b"\x2a\x86\x48\x86\xf6\x7d\x07\x42\x0a", "CAST5-CBC"),
    (b"\x2a\x83\x1a\x8c\x9a\x44\x01\x04", "SEED-CBC"),
    (b"\x2a\x81\x1c\xcf\x55\x01\x68\x02", "SM4-CBC"),
    (b"\x2a\x83\x08\x8c\x9a\x4b\x3d\x01\x01\x01\x02", "CAMELLIA-128-CBC"),
    (b"\x2a\x83\x08\x8c\x9a\x4b\x3d\x01\x01\x01\x03", "CAMELLIA-192-CBC"),
    (b"\x2a\x83\x08\x8c\x9a\x4b\x3d\x01\x01\x01\x04", "CAMELLIA-256-CBC"),
    (b"\x2a\x83\x1a\x8c\x9a\x6e\x01\x01\x02", "ARIA-128-CBC"),
    (b"\x2a\x83\x1a\x8c\x9a\x6e\x01\x01\x07", "ARIA-192-CBC"),
    (b"\x2a\x83\x1a\x8c\x9a\x6e\x01\x01\x0c", "ARIA-256-CBC"),
    (b"\x2a\x85\x03\x02\x02\x15", "GOST 28147-89"),
    (b"\x2a\x85\x03\x07\x01\x01\x05\x01\x01", "GOST Magma"),
    (b"\x2a\x85\x03\x07\x01\x01\x05\x02\x01", "GOST Kuznyechik"),
    (b"\x2a\x85\x03\x07\x01\x01\x04\x01", "HMAC-GOST-256"),
    (b"\x2a\x85\x03\x07\x01\x01\x04\x02", "HMAC-GOST-512"),
    (RSA, "RSA"),
    (RSA_PSS, "RSA-PSS"),
    (MD5_WITH_RSA, "MD5 with RSA"),
    (SHA1_WITH_RSA, "SHA-1 with RSA"),
    (SHA1_WITH_ECDSA, "SHA-1 with ECDSA"),
    (EC, "EC"),
    (P256, "P-256"),
    (P384, "P-384"),
    (P521, "P-521"),
    (b"\x2a\x86\x48\xce\x3d\x03\x01\x01", "P-192"),
    (b"\x2b\x81\x04\x00\x21", "P-224"),
    (b"\x2b\x81\x04\x00\x0a", "secp256k1"),
    (b"\x2b\x24\x03\x03\x02\x08\x01\x01\x07", "brainpoolP256r1"),
    (b"\x2b\x24\x03\x03\x02\x08\x01\x01\x0b", "brainpoolP384r1"),
    (b"\x2b\x24\x03\x03\x02\x08\x01\x01\x0d", "brainpoolP512r1"),
    (ED25519, "Ed25519"),
    (b"\x2b\x65\x71", "Ed448"),
    (b"\x2b\x65\x6e", "X25519"),
    (b"\x2b\x65\x6f", "X448"),
    (b"\x2a\x86\x48\xce\x38\x04\x01", "DSA"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01", "Diffie-Hellman"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x11", "ML-DSA-44"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x12", "ML-DSA-65"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x13", "ML-DSA-87"),
    (b"\x2a\x81\x1c\xcf\x55\x01\x82\x2d", "SM2"),
    (COMMON_NAME, "CN"),
    (b"\x55\x04\x05", "serialNumber"),
    (b"\x55\x04\x06", "C"),
    (b"\x55\x04\x07", "L"),
    (b"\x55\x04\x08", "ST"),
    (b"\x55\x04\x09", "STREET"),
    (b"\x55\x04\x0a", "O"),
    (b"\x55\x04\x0b", "OU"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"),
];

/// The name of an algorithm or attribute, or its number where it has no name here.
pub(crate) fn name(oid: &Oid) -> String {
    NAMES
        .iter()
        .find(|(known, _)| *known == oid)
        .map_or_else(|| dotted(oid), |(_, name)| (*name).to_owned())
}

/// The usual notation, such as `1.2.840.113549.1.1.1`.
fn dotted(oid: &Oid) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut value = 0_u64;
    for octet in oid {
        value = value.saturating_mul(128).saturating_add(u64::from(octet & 0x7f));
        if octet & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (value / 40).min(2);
                arcs.push(first);
                value -= first * 40;
            }
            arcs.push(value);
            value = 0;
        }
    }
    arcs.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_identifier_is_shown_as_its_number() {
        assert_eq!(name(RSA), "RSA");
        assert_eq!(name(b"\x2a\x86\x48\x86\xf7\x0d\x63"), "1.2.840.113549.99");
        assert_eq!(name(b"\x88\x37\x01"), "2.999.1");
        assert_eq!(name(b""), "");
    }
}
