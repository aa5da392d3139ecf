//! What several modules need.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use jellynet_tls::{
    Identity, Loader, LocalCertificate, Output, Timestamp, TlsAcceptor, TlsFacts, default_provider,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A loader with the provider of this build.
pub(crate) fn loader() -> Loader {
    Loader::new(default_provider())
}

/// A folder below the target folder that is this test's alone, and empty.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// The corpus of certificate files, made once per build folder and version of its script.
pub(crate) fn corpus() -> Option<&'static Corpus> {
    static CORPUS: OnceLock<Option<Corpus>> = OnceLock::new();
    CORPUS.get_or_init(Corpus::make).as_ref()
}

pub(crate) struct Corpus {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Arc<Value>,
}

impl Corpus {
    fn make() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/make.py");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus");
        let manifest = folder.join("manifest.json");
        let stamp = folder.join("made-by");
        let text = std::fs::read_to_string(&script).unwrap();
        if std::fs::read_to_string(&stamp).ok().as_ref() != Some(&text) {
            let python = jellynet_test::peer::find("python3")?;
            jellynet_test::peer::find_with("openssl", &["version"])?;
            let _ = std::fs::remove_dir_all(&folder);
            let made = Command::new(python.path()).arg(&script).arg(&folder).output().unwrap();
            let errors = String::from_utf8_lossy(&made.stderr);
            assert!(made.status.success(), "{errors}");
            std::fs::write(&stamp, text).unwrap();
        }
        let manifest = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
        Some(Self { folder, manifest: Arc::new(manifest) })
    }
}

/// A self-signed identity for this name.
pub(crate) fn identity(name: &str) -> Identity {
    LocalCertificate::new([name]).make(None, &loader(), Timestamp::now()).unwrap()
}

/// Writes key and certificates to one PEM file, in one step, as a careful tool does.
pub(crate) fn write_pem(path: &Path, identity: &Identity) {
    let pem = identity.export(Output::Pem, loader().provider()).unwrap();
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, &*pem).unwrap();
    std::fs::rename(&temporary, path).unwrap();
}

/// A client that trusts everything and remembers sessions.
pub(crate) fn client(versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(default_provider())
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAll))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// What a client saw.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) leaf: [u8; 32],
    pub(crate) resumed: bool,
    pub(crate) facts: TlsFacts,
}

/// One connection through memory: handshake, one octet each way, farewell.
pub(crate) async fn connect(
    acceptor: &TlsAcceptor,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<Seen, String> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = acceptor.clone();
    let server = tokio::spawn(async move {
        let mut stream = acceptor.accept(far).await.map_err(|error| error.to_string())?;
        let octet = stream.read_u8().await.map_err(|error| error.to_string())?;
        stream.write_u8(octet).await.map_err(|error| error.to_string())?;
        stream.shutdown().await.map_err(|error| error.to_string())?;
        Ok::<_, String>(stream.facts().clone())
    });
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(client));
    let exchange = async {
        let mut stream = connector.connect(name, near).await?;
        stream.write_u8(7).await?;
        stream.read_u8().await?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        let (_, connection) = stream.get_ref();
        let leaf: [u8; 32] =
            Sha256::digest(connection.peer_certificates().unwrap().first().unwrap()).into();
        Ok::<_, std::io::Error>((leaf, connection.handshake_kind() == Some(HandshakeKind::Resumed)))
    };
    let seen = exchange.await.map_err(|error| error.to_string());
    let facts = server.await.unwrap()?;
    let (leaf, resumed) = seen?;
    Ok(Seen { leaf, resumed, facts })
}

#[derive(Debug)]
struct TrustAll;

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
