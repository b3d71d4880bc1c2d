// SPDX-License-Identifier: GPL-2.0

//! One result.

use serde::{Deserialize, Serialize};

use crate::{job::Job, module::Module, outcome::Outcome, Clock, Setup};

/// One run of one job: an object of `target/bench.json`. What was not measured is null.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) job: String,
    pub(crate) setup: Setup,
    pub(crate) clock: Clock,
    pub(crate) module: String,
    pub(crate) protocol: Option<String>,
    pub(crate) seed: u32,
    pub(crate) iops: Option<f64>,
    pub(crate) instructions_per_io: Option<f64>,
    pub(crate) mib_per_s: Option<f64>,
    pub(crate) seconds: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p99_9_us: Option<f64>,
}

/// How something was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) setup: Setup,
    pub(crate) clock: Clock,
    pub(crate) module: &'a Module,
    pub(crate) protocol: &'a str,
    pub(crate) seed: u32,
}

impl Record {
    /// The record of a job that ended so.
    pub(crate) fn new(job: &Job, outcome: &Outcome, how: &Circumstances<'_>) -> Self {
        let timed = how.clock == Clock::Time;
        let rate = outcome.ios / outcome.seconds;
        let mib_per_s = rate * f64::from(job.block) / f64::from(1 << 20);
        Self {
            job: job.name.into(),
            setup: how.setup,
            clock: how.clock,
            module: how.module.name().into(),
            protocol: (*how.module != Module::Bare).then(|| how.protocol.into()),
            seed: how.seed,
            iops: (timed && job.has_ios()).then_some(rate),
            // With that clock, a nanosecond is an instruction.
            instructions_per_io: (!timed).then_some(outcome.seconds * 1e9 / outcome.ios),
            mib_per_s: (timed && !job.is_large()).then_some(mib_per_s),
            seconds: (timed && job.is_large()).then_some(outcome.seconds),
            p99_us: outcome.p99_us,
            p99_9_us: outcome.p99_9_us,
        }
    }

    /// What it is judged by: instructions for one I/O, else I/Os each second, or MiB each second
    /// where I/Os were not counted, or the seconds of the whole.
    pub(crate) fn value(&self) -> Option<Value> {
        let value = |figure: Option<f64>, unit| figure.map(|figure| Value { figure, unit });
        value(self.instructions_per_io, Unit::Instructions)
            .or(value(self.iops, Unit::Ios))
            .or(value(self.mib_per_s, Unit::Mib))
            .or(value(self.seconds, Unit::Seconds))
    }
}

/// A figure that can be compared with another of the same job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub(crate) figure: f64,
    pub(crate) unit: Unit,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Instructions for an I/O.
    Instructions,
    /// I/Os each second.
    Ios,
    /// MiB each second.
    Mib,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// Whether less of it is better.
    pub(crate) fn is_cost(self) -> bool {
        matches!(self, Self::Instructions | Self::Seconds)
    }
}

/// The middle one; of an even number, the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((upper + values[middle - 1]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_exactly_the_keys_of_the_format() {
        let record = Record::new(
            Job::named("resync").unwrap(),
            &Outcome::default(),
            &Circumstances {
                setup: Setup::Pair,
                clock: Clock::Time,
                module: &Module::Bare,
                protocol: "C",
                seed: 1,
            },
        );
        let value = serde_json::to_value(record).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys.join(" "),
            "clock instructions_per_io iops job mib_per_s module p99_9_us p99_us protocol seconds \
             seed setup"
        );
        assert_eq!(value["clock"], "time");
        assert_eq!(value["setup"], "pair");
        assert_eq!(value["module"], "bare");
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
