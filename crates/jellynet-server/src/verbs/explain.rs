//! `jellynet explain`: what would become of a request, and why.

use std::io::BufRead;

use jellynet_gateway::{Explain, Question};

use crate::cli::{ExplainArgs, Format};
use crate::failure::Failure;
use crate::sources;
use crate::verbs::{json, own_interfaces, print};

pub(super) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    if args.stdin {
        // Bytes, so that a line that is no text is answered like any other bad one.
        for line in std::io::stdin().lock().split(b'\n') {
            let line =
                line.map_err(|error| Failure::runtime("cannot read standard input", error))?;
            if !line.trim_ascii().is_empty() {
                print(&(Explain::answer(&line) + "\n"));
            }
        }
        return Ok(());
    }
    let config = sources::load(&args.settings)?.config;
    let interfaces = own_interfaces()?;
    let Some(peer) = &args.peer else { return Ok(()) };
    let bad = |key: &str, why: String| Failure::plain(format!("{key}: {why}"));
    let mut question = Question::of(peer, &interfaces).map_err(|why| bad("peer", why))?;
    question.tls = args.tls;
    question.method = args.method.parse().map_err(|_| bad("method", args.method.clone()))?;
    question.target.clone_from(&args.target);
    for line in &args.headers {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        question.add_header(name.trim(), value.trim()).map_err(|why| bad("header", why))?;
    }
    let explained = Explain::new(&config, &interfaces, &question);
    print(&match args.format {
        Format::Json => json(&explained) + "\n",
        Format::Text => explained.to_string(),
    });
    Ok(())
}
