//! Medians and ratios.

use std::fmt;

use clap::ValueEnum;

use crate::cases::{Case, Turn, Work};
use crate::front::Kind;

/// The turns of one case.
#[derive(Debug)]
pub(crate) struct Table {
    case: Case,
    work: Work,
    rounds: usize,
    turns: Vec<(Kind, Turn)>,
}

impl Table {
    pub(crate) const fn new(case: Case, work: Work, rounds: usize) -> Self {
        Self { case, work, rounds, turns: Vec::new() }
    }

    pub(crate) fn add(&mut self, kind: Kind, turn: Turn) {
        self.turns.push((kind, turn));
    }

    fn sorted(&self, kind: Kind, what: impl Fn(&Turn) -> Option<f64>) -> Vec<f64> {
        let own = self.turns.iter().filter(|(front, _)| *front == kind);
        let mut values: Vec<_> = own.filter_map(|(_, turn)| what(turn)).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    fn costs(&self, kind: Kind) -> Vec<f64> {
        self.sorted(kind, |turn| Some(turn.cost))
    }

    /// Our cost as a multiple of another front's.
    fn ratio(&self, kind: Kind) -> Option<f64> {
        Some(median(&self.costs(Kind::Jellynet))? / median(&self.costs(kind))?)
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.case.to_possible_value();
        let (name, help) = value.as_ref().map_or(("", String::new()), |value| {
            (value.get_name(), value.get_help().map(ToString::to_string).unwrap_or_default())
        });
        let Work { clients, count } = self.work;
        let (rounds, s) = (self.rounds, if self.rounds == 1 { "" } else { "s" });
        writeln!(f, "{name}: {help}: {count} a turn by {clients} clients, {rounds} round{s}")?;
        let (cost, rate) = self.case.units();
        for kind in Kind::ALL {
            let costs = self.costs(kind);
            let (Some(middle), Some(least), Some(most)) =
                (median(&costs), costs.first(), costs.last())
            else {
                continue;
            };
            write!(f, "  {kind:<8} {middle:>8.3} {cost} ({least:.3} to {most:.3})")?;
            if let Some(ratio) = self.ratio(kind).filter(|_| kind != Kind::Jellynet) {
                write!(f, ", jellynet {ratio:.2} x")?;
            }
            if let Some(rates) = median(&self.sorted(kind, |turn| turn.rate)) {
                write!(f, ", {rates:.1} {rate}")?;
            }
            writeln!(f)?;
        }
        for &(kind, goal) in self.case.goals() {
            if let Some(ratio) = self.ratio(kind) {
                let met = if ratio <= goal { "met" } else { "missed" };
                writeln!(f, "  goal: at most {goal:.1} x {kind}: {met}, {ratio:.2}")?;
            }
        }
        Ok(())
    }
}
