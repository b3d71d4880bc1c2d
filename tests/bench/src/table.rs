// SPDX-License-Identifier: GPL-2.0

//! Medians and ratios for people.

use std::fmt::Write as _;

use crate::{job::JOBS, record::Record, Clock, Module, Setup};

/// What a run is judged by: instructions for one I/O in thousands, else I/Os each second, or MiB
/// each second where I/Os were not counted.
fn value(record: &Record) -> Option<f64> {
    record
        .instructions_per_io
        .map(|count| count / 1e3)
        .or(record.iops)
        .or(record.mib_per_s)
}

/// A run's figure with its unit.
pub(crate) fn figure(record: &Record) -> String {
    let unit = match (record.instructions_per_io, record.iops) {
        (Some(_), _) => "k/io",
        (_, Some(_)) => "/s",
        _ => "MiB/s",
    };
    value(record).map_or_else(|| "-".into(), |value| format!("{value:.1}{unit}"))
}

/// The middle one; of an even number, the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((upper + values[middle - 1]) / 2.0)
}

fn of<'a>(records: &'a [Record], job: &'a str, module: Module) -> impl Iterator<Item = &'a Record> {
    records
        .iter()
        .filter(move |record| record.job == job && record.module == module)
}

/// The table of one clock and one setup.
pub(crate) fn text(clock: Clock, setup: Setup, records: &[Record]) -> String {
    let place = match setup {
        Setup::Pair => "Pair in one kernel",
        Setup::Machines => "Two machines",
    };
    let (head, better) = match clock {
        Clock::Time => (
            "I/Os each second (resync: MiB/s)",
            "above 1: tandem is quicker",
        ),
        Clock::Icount => (
            "thousand instructions for an I/O, fio and both nodes",
            "below 1: tandem needs less",
        ),
    };
    let runs = JOBS
        .iter()
        .map(|job| of(records, job.name, Module::Tandem).count())
        .max()
        .unwrap_or(0);
    let mut text = format!("\n{place}, medians of {runs}: {head}; {better}\n");
    text.push_str(
        "job                  tandem       drbd       bare   tandem/drbd   \
         p99 us: tandem       drbd\n",
    );
    for job in JOBS {
        let middle = |module, get: fn(&Record) -> Option<f64>| {
            median(of(records, job.name, module).filter_map(get).collect())
        };
        let [ours, theirs, bare] =
            [Module::Tandem, Module::Drbd, Module::Bare].map(|module| middle(module, value));
        if ours.is_none() && theirs.is_none() && bare.is_none() {
            continue;
        }
        let ratio = ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
        let [tail, their_tail] =
            [Module::Tandem, Module::Drbd].map(|module| middle(module, |record| record.p99_us));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<17} {} {} {} {}        {} {}",
            job.name,
            cell(ours, 1),
            cell(theirs, 1),
            cell(bare, 1),
            cell(ratio, 2),
            cell(tail, 0),
            cell(their_tail, 0)
        );
    }
    text
}

fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(
        || format!("{:>10}", "-"),
        |value| format!("{value:>10.digits$}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
