//! What to tune to.

use std::fmt;
use std::str::FromStr;

/// A mux, or one programme of it.
///
/// | text | means |
/// | --- | --- |
/// | `v5.1`, `v702` | the virtual channel 5.1 or 702, as printed in a guide |
/// | `ch183000000`, `ch183000000-3` | the frequency, and of it programme 3 only |
/// | `8vsb:183000000`, `auto:33-3` | what the device takes as a channel, and of it programme 3 |
/// | `33` | `auto:33` |
///
/// The first two are the forms of the device's own HTTP streams.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Channel {
    /// A virtual channel: the device looks up mux and programme.
    Virtual {
        /// Its number.
        number: String,
    },
    /// A mux, or one programme of it.
    Physical {
        /// What `/tunerN/channel` is set to.
        channel: String,
        /// The only programme that is sent; `None` sends the whole mux.
        program: Option<u16>,
    },
}

/// Why a text is no channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseChannelError {
    /// None of the forms.
    #[error("a channel is v5.1, ch183000000-3, 8vsb:183000000 or 33: {text}")]
    Form {
        /// What was given.
        text: String,
    },
    /// The programme is no number up to 65535.
    #[error("a programme is a number up to 65535: {text}")]
    Program {
        /// What was given.
        text: String,
    },
}

impl Channel {
    /// A whole mux, as the device's `channel` variable takes it.
    #[must_use]
    pub fn physical(channel: impl Into<String>) -> Self {
        Self::Physical { channel: channel.into(), program: None }
    }
}

impl FromStr for Channel {
    type Err = ParseChannelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || ParseChannelError::Form { text: text.into() };
        if let Some(number) = text.strip_prefix('v') {
            let valid = number.split('.').count() <= 2 && number.split('.').all(is_number);
            return valid.then(|| Self::Virtual { number: number.into() }).ok_or_else(form);
        }
        let (channel, program) = match text.split_once('-') {
            Some((channel, program)) => {
                let parsed = program.parse().ok().filter(|_| is_number(program));
                let error = || ParseChannelError::Program { text: text.into() };
                (channel, Some(parsed.ok_or_else(error)?))
            }
            None => (text, None),
        };
        let channel = match (channel.strip_prefix("ch"), channel.split_once(':')) {
            (Some(frequency), _) if is_number(frequency) => format!("auto:{frequency}"),
            (_, Some((map, number))) if is_word(map) && is_number(number) => channel.to_owned(),
            (_, None) if is_number(channel) => format!("auto:{channel}"),
            _ => return Err(form()),
        };
        Ok(Self::Physical { channel, program })
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Virtual { number } => write!(f, "v{number}"),
            Self::Physical { channel, program: None } => f.write_str(channel),
            Self::Physical { channel, program: Some(program) } => write!(f, "{channel}-{program}"),
        }
    }
}

fn is_number(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_word(text: &str) -> bool {
    (1..=24).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written() {
        for (text, written) in [
            ("v5.1", "v5.1"),
            ("v702", "v702"),
            ("ch183000000", "auto:183000000"),
            ("ch183000000-3", "auto:183000000-3"),
            ("8vsb:183000000", "8vsb:183000000"),
            ("auto6t:11-3", "auto6t:11-3"),
            ("33", "auto:33"),
        ] {
            let channel: Channel = text.parse().unwrap();
            assert_eq!(channel.to_string(), written);
            assert_eq!(written.parse(), Ok(channel), "{text}");
        }
    }

    #[test]
    fn what_could_mean_something_else_to_the_device_is_refused() {
        for text in [
            "",
            "v",
            "v5.",
            "v5.1.2",
            "ch",
            "chx",
            "auto:",
            ":9",
            "a b:9",
            "none",
            "9 9",
            "auto:9\nx",
            "auto:-1",
            "-",
        ] {
            assert!(text.parse::<Channel>().is_err(), "{text}");
        }
        let program = "33-70000".parse::<Channel>();
        assert_eq!(program, Err(ParseChannelError::Program { text: "33-70000".into() }));
    }
}
