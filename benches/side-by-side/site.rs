//! What is served, the certificate under which it is, and a place for files.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

/// Sizes of the files: a small answer, and a film.
pub(crate) const SMALL: u64 = 1024;
pub(crate) const LARGE: u64 = 256 << 20;
/// The name in the certificate.
pub(crate) const NAME: &str = "tv.test";

/// A directory that goes with it.
#[derive(Debug)]
pub(crate) struct Site {
    directory: PathBuf,
    roots: Arc<RootCertStore>,
}

impl Site {
    /// Writes the files and the certificate (ECDSA P-256).
    pub(crate) fn open() -> Self {
        let name = format!("jellynet-side-by-side-{}", fastrand::u64(..));
        let directory = std::env::temp_dir().join(name);
        let files = directory.join("www/media");
        fs::create_dir_all(&files).unwrap();
        fs::write(files.join("small"), vec![b'x'; 1024]).unwrap();
        fs::File::create(files.join("large")).unwrap().set_len(LARGE).unwrap();
        // With the base URL, and without.
        for name in ["small", "large"] {
            fs::hard_link(files.join(name), directory.join("www").join(name)).unwrap();
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new([NAME.to_owned()]).unwrap().self_signed(&key);
        let certificate = certificate.unwrap();
        let (pem, key) = (certificate.pem(), key.serialize_pem());
        fs::write(directory.join("cert.pem"), &pem).unwrap();
        fs::write(directory.join("key.pem"), &key).unwrap();
        fs::write(directory.join("both.pem"), pem + &key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        Self { directory, roots: roots.into() }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// A client that leaves the server no choice: TLS 1.3, X25519, AES-128-GCM.
    pub(crate) fn client(&self, resume: bool) -> Arc<ClientConfig> {
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
        provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
        let mut config = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if !resume {
            config.resumption = rustls::client::Resumption::disabled();
        }
        config.into()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A port of loopback that nobody has now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
