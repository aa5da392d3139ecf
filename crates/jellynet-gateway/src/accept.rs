//! What every connection goes through, from the socket to the request.

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use jellynet_admin::Admin;
use jellynet_bind::{Connection, Facts, HttpServer, Listeners, Protocol, ServeOptions};
use jellynet_forwarded::proxy_protocol::{self, PreamblePolicy};
use jellynet_forwarded::{LiveRules, Scheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_http::add_extension::AddExtension;
use tower_service::Service;

use crate::config::Config;
use crate::reach::{ADMIN, HTTPS};
use crate::swap::Live;
use crate::tls::Tls;

type Failed = Box<dyn Error + Send + Sync>;

/// How long a known proxy may take for its PROXY protocol header.
const PREAMBLE: Duration = Duration::from_secs(5);

/// Takes connections and serves each in a task of its own; cheap to clone.
#[derive(Clone)]
pub(crate) struct Accept {
    pub(crate) live: Live,
    pub(crate) rules: LiveRules,
    pub(crate) admin: Admin,
    pub(crate) tls: Option<Tls>,
}

/// The deadlines of a configuration.
pub(crate) fn server(config: &Config) -> HttpServer {
    let mut options = ServeOptions::default();
    options.first_byte = config.http.first_byte;
    options.headers = config.http.headers;
    options.idle = config.http.idle;
    options.send = config.http.send;
    options.send_crowded = config.http.send_crowded;
    HttpServer::new(options)
}

impl Accept {
    pub(crate) async fn run(self, mut listeners: Listeners) {
        while let Some(connection) = listeners.accept().await {
            self.start(connection);
        }
    }

    /// Serves a connection in a task of its own. The task of a plain one, of which thousands may be
    /// idle, holds nothing but what serves it.
    fn start(&self, connection: Connection) {
        let peer = connection.peer_addr();
        let close = move |error: &(dyn Error + 'static)| tracing::debug!(%peer, error, "close a connection");
        let version = self.live.version();
        let facts = connection.facts();
        let is_https = facts.name() == HTTPS;
        if facts.name() == ADMIN || version.preamble || (is_https && self.tls.is_some()) {
            let accept = self.clone();
            tokio::spawn(async move {
                if let Err(error) = accept.serve(connection).await {
                    close(&*error);
                }
            });
        } else {
            let serving = version.server.serve(connection, self.live.service(is_https));
            tokio::spawn(serving.map(move |served| {
                if let Err(error) = served {
                    close(&error);
                }
            }));
        }
    }

    /// Boxes what only some connections need.
    async fn serve(self, connection: Connection) -> Result<(), Failed> {
        let facts = connection.facts();
        let version = self.live.version();
        if facts.name() == ADMIN {
            Box::pin(version.server.serve(connection, self.admin)).await?;
            return Ok(());
        }
        let stack = self.live.service(facts.name() == HTTPS);
        let peer = facts.peer_addr().ip();
        if !version.preamble {
            return self.decrypt(&version.server, connection, facts, peer, stack).await;
        }
        let proxies = Arc::new(self.rules.load().proxies().clone());
        let policy = PreamblePolicy::RequiredOfProxies(proxies);
        let (preamble, stream) =
            Box::pin(proxy_protocol::accept(connection, facts.peer_addr(), &policy, PREAMBLE))
                .await?;
        match preamble {
            Some(preamble) => {
                let client = preamble.client();
                let address = client.client.map(|client| client.ip()).or(peer);
                let stack = AddExtension::new(stack, client);
                Box::pin(self.decrypt(&version.server, stream, facts, address, stack)).await
            }
            None => Box::pin(self.decrypt(&version.server, stream, facts, peer, stack)).await,
        }
    }

    /// Ends TLS where the listener is for HTTPS, and serves HTTP. `client` is who is behind a proxy
    /// that says so, so that a crowd behind one does not share the bounds of one client.
    async fn decrypt<I, S, B>(
        self,
        server: &HttpServer,
        stream: I,
        facts: Facts,
        client: Option<IpAddr>,
        stack: S,
    ) -> Result<(), Failed>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Failed>,
    {
        let Some(tls) = self.tls.filter(|_| facts.name() == HTTPS) else {
            server.serve_stream(stream, facts, Protocol::Sniff, stack).await?;
            return Ok(());
        };
        let stream = match client {
            Some(client) => Box::pin(tls.acceptor.accept_from(stream, client)).await?,
            None => Box::pin(tls.acceptor.accept(stream)).await?,
        };
        let known = stream.facts().clone();
        let protocol = match known.alpn.as_deref() {
            Some("h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let stack = AddExtension::new(AddExtension::new(stack, Scheme::Https), known);
        Box::pin(server.serve_stream(stream, facts, protocol, stack)).await?;
        Ok(())
    }
}
