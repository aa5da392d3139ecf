//! The laws let a good engine pass and catch every bad one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jellynet_test::laws;

use crate::echo::{Suspect, Vice};

fn verdict(vice: Vice) -> Option<String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| laws::check(&Suspect(vice))));
    let panic = outcome.err()?;
    let text = panic.downcast::<String>().map(|text| *text);
    Some(text.unwrap_or_else(|_| "another panic".to_owned()))
}

#[test]
fn an_engine_that_keeps_the_laws_passes() {
    laws::check(&Suspect(Vice::None));
}

#[test]
fn every_vice_is_caught_by_its_law() {
    for (vice, law) in [
        (Vice::ReadsTheClock, "E1 pure"),
        (Vice::Panics, "E"),
        (Vice::Hoards, "E2 total"),
        (Vice::Stands, "E"),
        (Vice::AnswersStrangers, "E"),
        (Vice::AnswersTwice, "E4 no amplification"),
        (Vice::MixesInterfacesUp, "E"),
        (Vice::Complains, "E6 malformed input"),
    ] {
        let verdict = verdict(vice).unwrap_or_else(|| panic!("{vice:?} was not caught"));
        assert!(verdict.starts_with(law), "{vice:?}: {verdict}");
    }
}

#[test]
fn each_law_catches_its_own_breach() {
    let caught =
        |law: fn(&Suspect), vice| catch_unwind(AssertUnwindSafe(|| law(&Suspect(vice)))).is_err();
    assert!(caught(laws::total, Vice::Panics));
    assert!(caught(laws::progress, Vice::Stands));
    assert!(caught(laws::no_amplification, Vice::AnswersStrangers));
    assert!(caught(laws::local, Vice::MixesInterfacesUp));
}
