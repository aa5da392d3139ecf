//! Questions as JSON, one object in, one out.

use std::collections::HashMap;
use std::net::IpAddr;

use jellynet_netif::{Interface, InterfaceTable};
use jellynet_settings::{Settings, SettingsError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Explain, Question};
use crate::config::{Config, KEYS};

/// One question. All but the peer may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    config: Option<Value>,
    interfaces: Option<Vec<Given>>,
    /// What host names among the proxies resolve to; the others are asked for.
    #[serde(default)]
    names: HashMap<String, Vec<IpAddr>>,
    peer: String,
    #[serde(default)]
    tls: bool,
    method: Option<String>,
    target: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

/// One address of an interface; several may name the same interface.
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

    /// Of a line that is no such object: the field that is missing, unknown or of the wrong kind,
    /// where the message names one, else `line`.
    fn unreadable(error: &serde_json::Error) -> Self {
        let message = error.to_string();
        let named = ["missing field `", "unknown field `", "duplicate field `"];
        let field = named.iter().find_map(|start| message.strip_prefix(start)?.split('`').next());
        Self::new(field.unwrap_or("line"), &message)
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        // The object has room for one: the first, whose message is its own.
        let first = error.problems().first();
        first.map_or_else(|| Self::new("config", &error), |p| Self::new(p.key.clone(), &p.message))
    }
}

impl Explain {
    /// Answers a question that is written as a JSON object, by another: this one, or
    /// `{"error":{"key":…,"message":…}}`. docs/guide and the README of the binary have the fields.
    #[must_use]
    pub fn answer(line: &[u8]) -> String {
        let answer = match explain(line) {
            Ok(explained) => serde_json::to_string(&explained),
            Err(problem) => serde_json::to_string(&serde_json::json!({ "error": problem })),
        };
        answer.unwrap_or_default()
    }
}

fn explain(line: &[u8]) -> Result<Explain, Problem> {
    let line: Line = serde_json::from_slice(line).map_err(|error| Problem::unreadable(&error))?;
    let interfaces = match line.interfaces {
        Some(given) => table(given)?,
        None => jellynet_netif::interfaces().map_err(|error| Problem::new("interfaces", &error))?,
    };
    let mut question =
        Question::of(&line.peer, &interfaces).map_err(|error| Problem::new("peer", &error))?;
    let mut settings = Settings::new(KEYS);
    if let Some(config) = &line.config {
        settings.add_json(config);
    }
    let config = Config::from_settings(settings)?;
    question.tls = line.tls;
    question.names = line.names;
    if let Some(method) = line.method {
        question.method = method.parse().map_err(|error| Problem::new("method", &error))?;
    }
    question.target = line.target.unwrap_or_else(|| "/".to_owned());
    for (at, (name, value)) in line.headers.iter().enumerate() {
        question
            .add_header(name, value)
            .map_err(|error| Problem::new(format!("headers[{at}]"), &error))?;
    }
    Ok(Explain::new(&config, &interfaces, &question))
}

fn table(given: Vec<Given>) -> Result<InterfaceTable, Problem> {
    let mut interfaces: Vec<Interface> = Vec::new();
    for (at, one) in given.into_iter().enumerate() {
        let net = one.address.parse().map_err(|_| {
            Problem::new(
                format!("interfaces[{at}].address"),
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
