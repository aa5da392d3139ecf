//! `jellynet explain`: what would become of a request, and why.

use std::io::BufRead;
use std::net::{IpAddr, SocketAddr};

use jellynet_gateway::{Config, Explain, KEYS, Question};
use jellynet_netif::{Interface, InterfaceTable};
use jellynet_settings::{Settings, SettingsError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::{ExplainArgs, Format};
use crate::failure::Failure;
use crate::sources;
use crate::verbs::{json, own_interfaces, print};

/// One line of standard input. All but the peer may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    config: Option<Value>,
    interfaces: Option<Vec<Given>>,
    peer: String,
    #[serde(default)]
    tls: bool,
    method: Option<String>,
    target: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

/// One address of an interface; several lines may name the same interface.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    index: u32,
    address: String,
}

/// What is wrong, and where.
#[derive(Debug, Serialize)]
struct Problem {
    key: String,
    message: String,
}

impl Problem {
    fn new(key: impl Into<String>, message: &impl ToString) -> Self {
        Self { key: key.into(), message: message.to_string() }
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        // The object has room for one: the first, whose message is its own.
        let first = error.problems().first();
        first.map_or_else(|| Self::new("", &error), |p| Self::new(p.key.clone(), &p.message))
    }
}

pub(super) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    if args.stdin {
        // Bytes, so that a line that is no text is answered like any other bad one.
        for line in std::io::stdin().lock().split(b'\n') {
            let line =
                line.map_err(|error| Failure::runtime("cannot read standard input", error))?;
            if !line.trim_ascii().is_empty() {
                print(&(answer(&line) + "\n"));
            }
        }
        return Ok(());
    }
    let config = sources::load(&args.settings)?.config;
    let headers: Vec<_> =
        args.headers.iter().map(|line| line.split_once(':').unwrap_or((line, ""))).collect();
    let headers = headers.iter().map(|(name, value)| (name.trim(), value.trim()));
    let Some(peer) = args.peer else { return Ok(()) };
    let question = question(peer, args.tls, Some(&args.method), Some(&args.target), headers)
        .map_err(|problem| Failure::plain(format!("{}: {}", problem.key, problem.message)))?;
    let explained = Explain::new(&config, &own_interfaces()?, &question);
    print(&match args.format {
        Format::Json => json(&explained) + "\n",
        Format::Text => explained.to_string(),
    });
    Ok(())
}

/// One object in, one out.
fn answer(line: &[u8]) -> String {
    match explain(line) {
        Ok(explained) => json(&explained),
        Err(problem) => json(&serde_json::json!({ "error": problem })),
    }
}

fn explain(line: &[u8]) -> Result<Explain, Problem> {
    let line: Line = serde_json::from_slice(line).map_err(|error| Problem::new("", &error))?;
    let peer = line.peer.parse().map_err(|_| {
        let given = &line.peer;
        Problem::new("peer", &format!("{given:?} is no address: write 192.168.1.20"))
    })?;
    let mut settings = Settings::new(KEYS);
    if let Some(config) = &line.config {
        settings.add_json(config);
    }
    let config = Config::from_settings(settings)?;
    let interfaces = match line.interfaces {
        Some(given) => table(given)?,
        None => own_interfaces().map_err(|error| Problem::new("interfaces", &error))?,
    };
    let headers = line.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let question =
        question(peer, line.tls, line.method.as_deref(), line.target.as_deref(), headers)?;
    Ok(Explain::new(&config, &interfaces, &question))
}

fn question<'a>(
    peer: IpAddr,
    tls: bool,
    method: Option<&str>,
    target: Option<&str>,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Question, Problem> {
    let mut question = Question::new(SocketAddr::new(peer, 0));
    question.tls = tls;
    if let Some(method) = method {
        question.method = method.parse().map_err(|error| Problem::new("method", &error))?;
    }
    question.target = target.unwrap_or("/").to_owned();
    for (at, (name, value)) in headers.enumerate() {
        question
            .add_header(name, value)
            .map_err(|error| Problem::new(format!("headers[{at}]"), &error))?;
    }
    Ok(question)
}

fn table(given: Vec<Given>) -> Result<InterfaceTable, Problem> {
    let mut interfaces: Vec<Interface> = Vec::new();
    for (at, one) in given.into_iter().enumerate() {
        let key = || format!("interfaces[{at}].address");
        let net = one.address.parse().map_err(|_| {
            Problem::new(
                key(),
                &format!("{:?} is no address with a prefix: write 192.168.1.10/24", one.address),
            )
        })?;
        let at = interfaces.iter().position(|i| i.index == one.index && i.name == one.name);
        let interface = match at {
            Some(at) => interfaces.swap_remove(at),
            None => Interface::new(one.name, one.index),
        };
        interfaces.push(interface.with_address(net));
    }
    Ok(InterfaceTable::new(interfaces))
}
