//! Handshakes: what is served, what is resumed, what is refused.

use std::sync::Arc;
use std::time::Duration;

use jellynet_tls::{
    AcceptError, IdentityStore, Profile, Source, Timestamp, TlsAcceptor, TlsOptions, server_config,
};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{client, connect, corpus, identity, loader};

fn store_with(name: &str) -> IdentityStore {
    let store = IdentityStore::new(loader());
    store.set("main", identity(name), Timestamp::now());
    store
}

fn acceptor(store: &IdentityStore) -> TlsAcceptor {
    TlsAcceptor::new(store, TlsOptions::default()).unwrap()
}

#[tokio::test]
async fn a_session_is_resumed_until_the_certificate_changes() {
    for version in [&TLS13, &TLS12] {
        let store = store_with("old.test");
        let old = store.identity_for(None).unwrap().fingerprint();
        let acceptor = acceptor(&store);
        let client = Arc::new(client(&[version]));
        let first = connect(&acceptor, &client, "old.test").await.unwrap();
        assert!(!first.resumed && first.leaf == old);
        let second = connect(&acceptor, &client, "old.test").await.unwrap();
        assert!(second.resumed && second.facts.resumed, "{second:?}");

        let renewed = identity("old.test");
        store.set("main", renewed.clone(), Timestamp::now());
        let third = connect(&acceptor, &client, "old.test").await.unwrap();
        assert!(!third.resumed, "the old certificate would be shown on resumption");
        assert_eq!(third.leaf, renewed.fingerprint());
        assert!(connect(&acceptor, &client, "old.test").await.unwrap().resumed);
    }
}

#[tokio::test]
async fn the_bare_configuration_does_not_resume_over_a_change_either() {
    for version in [&TLS13, &TLS12] {
        let store = store_with("old.test");
        let config = server_config(&store, &TlsOptions::default()).unwrap();
        let client = Arc::new(client(&[version]));
        let connect = async || {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&config));
            let server = tokio::spawn(async move {
                let mut stream = acceptor.accept(far).await.unwrap();
                stream.write_u8(1).await.unwrap();
                stream.shutdown().await.unwrap();
            });
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(&client));
            let mut stream = connector.connect("old.test".try_into().unwrap(), near).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
            server.await.unwrap();
            stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
        };
        assert!(!connect().await);
        assert!(connect().await);
        store.set("main", identity("new.test"), Timestamp::now());
        assert!(!connect().await);
        assert!(connect().await);
    }
}

#[tokio::test]
async fn facts_are_those_of_the_connection() {
    let acceptor = acceptor(&store_with("tv.test"));
    let seen = connect(&acceptor, &Arc::new(client(&[&TLS13])), "tv.test").await.unwrap();
    assert_eq!(seen.facts.server_name.as_deref(), Some("tv.test"));
    assert_eq!(seen.facts.version, "TLSv1.3");
    assert!(seen.facts.cipher_suite.starts_with("TLS13_"), "{}", seen.facts);
    assert_eq!(seen.facts.alpn.as_deref(), Some("http/1.1"));
    let seen = connect(&acceptor, &Arc::new(client(&[&TLS12])), "192.0.2.1").await.unwrap();
    assert_eq!(seen.facts.server_name, None);
    assert_eq!(seen.facts.version, "TLSv1.2");
}

#[tokio::test]
async fn the_modern_profile_refuses_version_1_2() {
    let options = TlsOptions::default();
    let options = {
        let mut o = options;
        o.profile = Profile::Modern;
        o
    };
    let acceptor = TlsAcceptor::new(&store_with("tv.test"), options).unwrap();
    assert!(connect(&acceptor, &Arc::new(client(&[&TLS12])), "tv.test").await.is_err());
    assert!(connect(&acceptor, &Arc::new(client(&[&TLS13])), "tv.test").await.is_ok());
}

#[tokio::test]
async fn an_ecdsa_and_an_rsa_pair_serve_each_client_what_it_can_verify() {
    let Some(corpus) = corpus() else { return };
    let store = IdentityStore::new(loader());
    let now = Timestamp::now();
    let rsa = store.add("rsa", Source::new(corpus.folder.join("rsa-both.pem")), now).unwrap();
    let ecdsa = store.add("ecdsa", Source::new(corpus.folder.join("p256-both.pem")), now).unwrap();
    let acceptor = acceptor(&store);
    let able = Arc::new(client(&[&TLS12]));
    assert_eq!(connect(&acceptor, &able, "example.org").await.unwrap().leaf, ecdsa.fingerprint());
    assert_eq!(connect(&acceptor, &able, "192.0.2.9").await.unwrap().leaf, ecdsa.fingerprint());
    let mut provider = (**loader().provider()).clone();
    provider.cipher_suites.retain(|suite| format!("{suite:?}").contains("RSA"));
    let mut old = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    old.dangerous().set_certificate_verifier(Arc::new(RsaOnly));
    let seen = connect(&acceptor, &Arc::new(old), "example.org").await.unwrap();
    assert_eq!(seen.leaf, rsa.fingerprint());
}

/// A client of the time before ECDSA.
#[derive(Debug)]
struct RsaOnly;

impl rustls::client::danger::ServerCertVerifier for RsaOnly {
    fn verify_server_cert(
        &self,
        _leaf: &rustls_pki_types::CertificateDer<'_>,
        _intermediates: &[rustls_pki_types::CertificateDer<'_>],
        _name: &rustls_pki_types::ServerName<'_>,
        _ocsp: &[u8],
        _now: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &rustls_pki_types::CertificateDer<'_>,
        _signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &rustls_pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.verify_tls12_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::RSA_PKCS1_SHA256]
    }
}

async fn speak_plainly(request: &str) -> (String, AcceptError) {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = acceptor(&store_with("tv.test"));
    let server = tokio::spawn(async move { acceptor.accept(far).await.unwrap_err() });
    near.write_all(request.as_bytes()).await.unwrap();
    near.shutdown().await.unwrap();
    let mut answer = String::new();
    near.read_to_string(&mut answer).await.unwrap();
    (answer, server.await.unwrap())
}

#[tokio::test]
async fn plain_http_is_sent_to_the_same_url_with_https() {
    let (answer, error) = speak_plainly(
        "POST /Users/x?y=1 HTTP/1.1\r\nHost: tv.test:8920\r\nContent-Length: 3\r\n\r\nabc",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    assert!(answer.contains("\r\nlocation: https://tv.test:8920/Users/x?y=1\r\n"), "{answer}");
    assert!(matches!(error, AcceptError::PlainHttp { .. }), "{error:?}");
    let (answer, _) = speak_plainly("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn anything_else_is_closed_without_a_word() {
    for hello in
        ["SSH-2.0-OpenSSH\r\n", "\0\0\0", "get / http/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n"]
    {
        let (answer, error) = speak_plainly(hello).await;
        assert_eq!(answer, "");
        assert!(matches!(error, AcceptError::NotTls), "{error:?}");
    }
    let (_, error) = speak_plainly("").await;
    assert!(matches!(error, AcceptError::Silent), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_slow_are_not_waited_for() {
    let options = TlsOptions::default();
    let acceptor = acceptor(&store_with("tv.test"));
    let start = tokio::time::Instant::now();
    let (_near, far) = tokio::io::duplex(1024);
    assert!(matches!(acceptor.accept(far).await, Err(AcceptError::Silent)));
    assert_eq!(start.elapsed(), options.first_byte_timeout);
    let start = tokio::time::Instant::now();
    let (mut near, far) = tokio::io::duplex(1024);
    near.write_all(&[0x16, 3, 1]).await.unwrap();
    assert!(matches!(acceptor.accept(far).await, Err(AcceptError::Timeout { .. })));
    assert_eq!(start.elapsed(), options.handshake_timeout);
}

#[tokio::test(start_paused = true)]
async fn handshakes_beyond_the_limit_wait_and_the_others_go_on() {
    let mut options = TlsOptions::default();
    options.max_handshakes = 1;
    options.handshake_timeout = Duration::from_secs(3);
    let acceptor = TlsAcceptor::new(&store_with("tv.test"), options).unwrap();
    let (mut near, far) = tokio::io::duplex(1024);
    near.write_all(&[0x16]).await.unwrap();
    let idle = tokio::spawn({
        let acceptor = acceptor.clone();
        async move { acceptor.accept(far).await.map(drop) }
    });
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    // The idle one times out before this one does, and makes room.
    let waited = connect(&acceptor, &Arc::new(client(&[&TLS13])), "tv.test").await;
    assert!(matches!(idle.await.unwrap(), Err(AcceptError::Timeout { .. })));
    assert!(waited.is_ok() || waited.is_err_and(|error| error.contains("more than 3s")));
}

#[tokio::test(start_paused = true)]
async fn one_client_has_its_share_of_handshakes_and_the_others_go_on() {
    let mut options = TlsOptions::default();
    options.max_handshakes_per_client = 2;
    let acceptor = TlsAcceptor::new(&store_with("tv.test"), options).unwrap();
    let greedy = "2001:db8::1".parse().unwrap();
    let begin = async |client| {
        let (mut near, far) = tokio::io::duplex(1024);
        near.write_all(&[0x16, 3, 1]).await.unwrap();
        let acceptor = acceptor.clone();
        (near, tokio::spawn(async move { acceptor.accept_from(far, client).await.map(drop) }))
    };
    let idle = [begin(greedy).await, begin(greedy).await];
    tokio::task::yield_now().await;
    // Another address of the same network.
    let (_near, third) = begin("2001:db8::2".parse().unwrap()).await;
    let error = third.await.unwrap().unwrap_err();
    assert!(matches!(error, AcceptError::TooMany { limit: 2, .. }), "{error}");
    assert!(error.to_string().contains("2001:db8::2 has 2 handshakes"), "{error}");
    assert!(connect(&acceptor, &Arc::new(client(&[&TLS13])), "tv.test").await.is_ok());
    for (near, task) in idle {
        assert!(matches!(task.await.unwrap(), Err(AcceptError::Timeout { .. })));
        drop(near);
    }
    let (near, again) = begin(greedy).await;
    drop(near);
    assert!(matches!(again.await.unwrap(), Err(AcceptError::Handshake(_))), "there is room again");
    let counts = acceptor.counts();
    assert_eq!((counts.completed, counts.failed), (1, 1), "{counts:?}");
    assert_eq!((counts.timed_out, counts.refused), (2, 1), "{counts:?}");
}

#[tokio::test]
async fn a_challenge_is_shown_to_its_validator_alone() {
    let store = store_with("tv.test");
    let main = store.identity_for(None).unwrap().fingerprint();
    let challenge = identity("challenge.test");
    store.set_challenge("tv.test", Some(&challenge.certified_key()));
    let acceptor = acceptor(&store);
    let mut validator = client(&[&TLS13]);
    validator.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let validator = Arc::new(validator);
    let error = connect(&acceptor, &validator, "tv.test").await.unwrap_err();
    assert!(error.contains("challenge was answered"), "{error}");
    let mut curious = client(&[&TLS13]);
    curious.alpn_protocols = vec![b"acme-tls/1".to_vec(), b"h2".to_vec()];
    assert_eq!(connect(&acceptor, &Arc::new(curious), "tv.test").await.unwrap().leaf, main);
    store.set_challenge("tv.test", None);
    let error = connect(&acceptor, &validator, "tv.test").await.unwrap_err();
    assert!(error.contains("handshake failed"), "{error}");
}
