//! `jellynet doctor`: looks at everything, and says what to do.

use std::process::ExitCode;

use jellynet_gateway::{Diagnosis, Finding, examine};

use crate::cli::{DoctorArgs, Format};
use crate::failure::{FOUND_A_PROBLEM, Failure};
use crate::sources;
use crate::verbs::{json, print, runtime};

pub(super) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let tell = |finding: &Finding| {
        if args.format == Format::Text {
            print(&format!("{finding}\n"));
        }
    };
    let diagnosis = match sources::load(&args.settings) {
        Ok(configured) => runtime()?
            .block_on(examine(configured.config, tell))
            .map_err(|error| Failure::runtime("cannot read this host's interfaces", error))?,
        Err(failure) => {
            let finding = Finding::bad_configuration(&failure.to_string());
            tell(&finding);
            Diagnosis::new(vec![finding])
        }
    };
    print(&match args.format {
        Format::Json => json(&diagnosis) + "\n",
        Format::Text => format!("{}\n", diagnosis.summary()),
    });
    Ok(ExitCode::from(if diagnosis.well { 0 } else { FOUND_A_PROBLEM }))
}
