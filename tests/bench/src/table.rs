// SPDX-License-Identifier: GPL-2.0

//! Medians and ratios for people.

use std::fmt::Write as _;

use crate::{
    job::{Job, JOBS},
    record::{median, Record, Unit},
    Clock, Setup,
};

/// A run's figure with its unit.
pub(crate) fn figure(record: &Record) -> String {
    record.value().map_or_else(
        || "-".into(),
        |value| match value.unit {
            Unit::Instructions => format!("{:.1}k/io", value.figure / 1e3),
            Unit::Ios => format!("{:.1}/s", value.figure),
            Unit::Mib => format!("{:.1}MiB/s", value.figure),
            Unit::Seconds => format!("{:.2}s", value.figure),
        },
    )
}

/// Results of one clock, one setup and one protocol.
pub(crate) struct Table<'a> {
    pub(crate) clock: Clock,
    pub(crate) setup: Setup,
    pub(crate) protocol: &'a str,
    /// Names of what was measured, in order.
    pub(crate) modules: Vec<&'a str>,
    /// Also those of others.
    pub(crate) records: &'a [Record],
}

/// Width of a column of figures.
const WIDTH: usize = 11;

impl Table<'_> {
    /// Results of a job with a module. The bare disk has no protocol.
    fn of<'a>(&'a self, job: &'a Job, module: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| {
            record.job == job.name
                && record.module == module
                && (record.clock, record.setup) == (self.clock, self.setup)
                && record.protocol.as_deref().unwrap_or(self.protocol) == self.protocol
        })
    }

    fn middle(&self, job: &Job, module: &str, get: impl Fn(&Record) -> Option<f64>) -> Option<f64> {
        median(self.of(job, module).filter_map(get).collect())
    }

    /// A module's figure of a job: thousand instructions, I/Os or MiB each second, or seconds.
    fn figure(&self, job: &Job, module: &str) -> Option<f64> {
        self.middle(job, module, |record| {
            record.value().map(|value| match value.unit {
                Unit::Instructions => value.figure / 1e3,
                _ => value.figure,
            })
        })
    }

    /// The lines that people read.
    pub(crate) fn text(&self) -> String {
        let replicating = || self.modules.iter().filter(|module| **module != "bare");
        let first = self.modules.first().copied().unwrap_or_default();
        let mut text = self.head(first);
        // Writing to a string cannot fail.
        let _ = write!(text, "{:<24}", "job");
        for module in &self.modules {
            let _ = write!(text, "{module:>WIDTH$}");
        }
        for module in self.modules.iter().skip(1) {
            let _ = write!(text, "{:>15}", format!("{first}/{module}"));
        }
        for module in replicating() {
            let _ = write!(text, "{:>22}", format!("{module} p99/p99.9 us"));
        }
        text.push('\n');
        for job in JOBS {
            if !self
                .modules
                .iter()
                .any(|module| self.of(job, module).next().is_some())
            {
                continue;
            }
            let _ = write!(text, "{:<24}", job.name);
            let figures = self.modules.iter().map(|module| self.figure(job, module));
            let figures: Vec<_> = figures.collect();
            for figure in &figures {
                let _ = write!(text, "{:>WIDTH$}", cell(*figure, 1));
            }
            let ours = figures.first().copied().flatten();
            for figure in figures.iter().skip(1) {
                let ratio = ours.zip(*figure).map(|(ours, other)| ours / other);
                let _ = write!(text, "{:>15}", cell(ratio, 2));
            }
            for module in replicating() {
                let tail = self.middle(job, module, |record| record.p99_us);
                let longer = self.middle(job, module, |record| record.p99_9_us);
                let both = format!("{} / {}", cell(tail, 0), cell(longer, 0));
                let _ = write!(text, "{both:>22}");
            }
            text.push('\n');
        }
        text
    }

    fn head(&self, first: &str) -> String {
        let place = match self.setup {
            Setup::Pair => "Pair in one kernel",
            Setup::Machines => "Two machines",
        };
        let (what, better) = match self.clock {
            Clock::Time => (
                "I/Os each second (resync, verify: MiB/s; 16 TiB: seconds)",
                "above 1 (16 TiB: below)",
            ),
            Clock::Icount => (
                "thousand instructions for an I/O, fio and both nodes (16 TiB: for the whole)",
                "below 1",
            ),
        };
        let runs = JOBS.iter().map(|job| self.of(job, first).count()).max();
        format!(
            "\n{place}, protocol {}, medians of {}: {what}.\n{better}: {first} is better. \
             Latencies are in the guest's microseconds.\n",
            self.protocol,
            runs.unwrap_or(0)
        )
    }
}

fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(module: &str, protocol: Option<&str>, iops: f64) -> Record {
        Record {
            job: "randwrite-4k-qd1".into(),
            setup: Setup::Pair,
            clock: Clock::Time,
            module: module.into(),
            protocol: protocol.map(Into::into),
            seed: 1,
            iops: Some(iops),
            instructions_per_io: None,
            mib_per_s: None,
            seconds: None,
            p99_us: Some(700.0),
            p99_9_us: None,
        }
    }

    #[test]
    fn a_row_has_figures_ratios_and_latencies_of_one_protocol() {
        let records = [
            record("tandem", Some("C"), 300.0),
            record("tandem", Some("A"), 999.0),
            record("drbd", Some("C"), 200.0),
            record("bare", None, 600.0),
        ];
        let table = Table {
            clock: Clock::Time,
            setup: Setup::Pair,
            protocol: "C",
            modules: vec!["tandem", "drbd", "bare"],
            records: &records,
        };
        let text = table.text();
        let row: Vec<_> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(
            row.join(" "),
            "randwrite-4k-qd1 300.0 200.0 600.0 1.50 0.50 700 / - 700 / -"
        );
    }
}
