//! What a connection costs: handshakes and bulk data through memory, beside bare tokio-rustls.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jellynet_tls::{
    Encryption, Identity, IdentityStore, Loader, LocalCertificate, Timestamp, TlsAcceptor,
    TlsOptions,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const BULK: usize = 1 << 20;

fn loader() -> Loader {
    Loader::new(jellynet_tls::default_provider())
}

fn identity() -> Identity {
    LocalCertificate::new(["tv.test"])
        .make(None, &loader(), Timestamp::now())
        .expect("a certificate")
}

/// A client; with or without memory of earlier sessions.
fn client(identity: &Identity, resume: bool) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in identity.chain() {
        roots.add(certificate.clone()).expect("a root");
    }
    let mut config = ClientConfig::builder_with_provider(jellynet_tls::default_provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    if !resume {
        config.resumption = rustls::client::Resumption::disabled();
    }
    Arc::new(config)
}

/// The two servers that are compared.
#[derive(Clone)]
enum Server {
    Ours(TlsAcceptor),
    Bare(tokio_rustls::TlsAcceptor),
}

impl Server {
    fn both(identity: &Identity) -> [(&'static str, Self); 2] {
        let store = IdentityStore::new(loader());
        store.set("main", identity.clone(), Timestamp::now());
        let ours = TlsAcceptor::new(&store, TlsOptions::default()).expect("an acceptor");
        let resolver = rustls::sign::SingleCertAndKey::from(identity.certified_key());
        let bare = ServerConfig::builder_with_provider(jellynet_tls::default_provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        [("jellynet-tls", Self::Ours(ours)), ("tokio-rustls", Self::Bare(Arc::new(bare).into()))]
    }

    async fn answer(self, far: DuplexStream, length: usize) {
        let bytes = vec![7; length];
        match self {
            Self::Ours(acceptor) => {
                let mut stream = acceptor.accept(far).await.expect("a handshake");
                stream.write_all(&bytes).await.expect("a write");
                stream.shutdown().await.expect("a farewell");
            }
            Self::Bare(acceptor) => {
                let mut stream = acceptor.accept(far).await.expect("a handshake");
                stream.write_all(&bytes).await.expect("a write");
                stream.shutdown().await.expect("a farewell");
            }
        }
    }
}

async fn connection(server: &Server, client: &Arc<ClientConfig>, length: usize) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let answering = tokio::spawn(server.clone().answer(far, length));
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(client));
    let name = ServerName::try_from("tv.test").expect("a name");
    let mut stream = connector.connect(name, near).await.expect("a handshake");
    let mut read = Vec::with_capacity(length);
    stream.read_to_end(&mut read).await.expect("a read");
    answering.await.expect("a server");
}

fn connections(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let identity = identity();
    for (group, resume, length) in
        [("full handshake", false, 1), ("resumed handshake", true, 1), ("1 MiB", true, BULK)]
    {
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Bytes(length as u64));
        for (name, server) in Server::both(&identity) {
            let client = client(&identity, resume);
            group.bench_function(name, |bencher| {
                bencher.iter(|| runtime.block_on(connection(&server, &client, length)));
            });
        }
    }
}

fn files(criterion: &mut Criterion) {
    let (loader, identity, now) = (loader(), identity(), Timestamp::now());
    let mut group = criterion.benchmark_group("open PKCS#12");
    group.sample_size(10);
    for encryption in [Encryption::Modern, Encryption::Legacy] {
        let file = identity.export_pkcs12("secret", encryption, loader.provider());
        let file = file.expect("a file");
        group.bench_function(format!("{encryption:?}"), |bencher| {
            bencher.iter(|| loader.decode(&file, Some("secret"), now).expect("an identity"));
        });
    }
}

criterion_group!(benches, connections, files);
criterion_main!(benches);
