// SPDX-License-Identifier: GPL-2.0

//! The picture for README: what an I/O costs with our module, as a part of what it costs with the
//! C module.

use std::{fs, path::PathBuf};

use anyhow::{bail, Context, Result};
use clap::Args;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    job::{Job, JOBS},
    measure::results,
    record::{median, Record},
    Clock, Setup,
};

/// Draws what was measured.
#[derive(Args)]
pub(crate) struct Plot {
    /// What was measured; target/bench.json if not given.
    #[arg(long)]
    from: Option<PathBuf>,
    /// The picture; Documentation/bench.svg if not given.
    #[arg(long)]
    to: Option<PathBuf>,
}

/// A way of measuring, with its colour and its words.
struct Series {
    clock: Clock,
    setup: Setup,
    colour: RGBColor,
    text: &'static str,
}

const SERIES: &[Series] = &[
    Series {
        clock: Clock::Icount,
        setup: Setup::Pair,
        colour: RGBColor(31, 78, 140),
        text: "instructions, both nodes in one kernel",
    },
    Series {
        clock: Clock::Time,
        setup: Setup::Pair,
        colour: RGBColor(224, 130, 40),
        text: "time, both nodes in one kernel",
    },
    Series {
        clock: Clock::Time,
        setup: Setup::Machines,
        colour: RGBColor(120, 160, 90),
        text: "time, two machines",
    },
];

/// Pixels of the picture and its parts.
const WIDTH: i32 = 900;
const NAMES: i32 = 200;
const TOP: i32 = 90;
const BOTTOM: i32 = 30;
const BAR: i32 = 11;
const GAP: i32 = 10;
const RIGHT: i32 = 50;

/// A picture's ratios: longer bars are cut, and say their number.
const LONGEST: f64 = 2.0;

/// Sizes of letters.
const SMALL: f64 = 15.0;
const TITLE: f64 = 19.0;
const TINY: f64 = 12.0;

/// A job with its ratios, one for each series that there is.
struct Group {
    job: &'static str,
    ratios: Vec<(usize, f64)>,
}

impl Plot {
    pub(crate) fn run(&self) -> Result<()> {
        let from = self.from.clone().unwrap_or_else(results);
        let to = self
            .to
            .clone()
            .unwrap_or_else(|| vm::repository().join("Documentation/bench.svg"));
        let text = fs::read_to_string(&from)
            .with_context(|| format!("cannot read {}: run 'make bench' first", from.display()))?;
        let records: Vec<Record> = serde_json::from_str(&text)
            .with_context(|| format!("{} has no results", from.display()))?;
        let groups = groups(&records);
        if groups.is_empty() {
            bail!(
                "{} has no job that was measured with both modules and protocol C",
                from.display()
            );
        }
        let picture = draw(&groups).context("cannot draw")?;
        fs::write(&to, picture).with_context(|| format!("cannot write {}", to.display()))
    }
}

/// The ratios of all jobs that both modules did in the same way.
fn groups(records: &[Record]) -> Vec<Group> {
    let ratios = |job: &Job| {
        let all = SERIES.iter().enumerate();
        all.filter_map(|(place, series)| Some((place, ratio(records, job, series)?)))
            .collect::<Vec<_>>()
    };
    JOBS.iter()
        .map(|job| Group {
            job: job.name,
            ratios: ratios(job),
        })
        .filter(|group| !group.ratios.is_empty())
        .collect()
}

/// What a job costs with our module, as a part of its cost with the C module.
fn ratio(records: &[Record], job: &Job, series: &Series) -> Option<f64> {
    let cost = |module: &str| {
        let chosen = records.iter().filter(|record| {
            record.job == job.name
                && record.module == module
                && record.protocol.as_deref() == Some("C")
                && (record.clock, record.setup) == (series.clock, series.setup)
        });
        let costs = chosen.filter_map(Record::value).map(|value| {
            if value.unit.is_cost() {
                value.figure
            } else {
                value.figure.recip()
            }
        });
        median(costs.collect())
    };
    Some(cost("tandem")? / cost("drbd")?).filter(|ratio| ratio.is_finite())
}

/// The picture's text.
fn draw(groups: &[Group]) -> Result<String> {
    let height = |group: &Group| BAR * group.ratios.len() as i32 + GAP;
    let end = TOP + groups.iter().map(height).sum::<i32>();
    let mut picture = String::new();
    {
        let size = (WIDTH as u32, (end + BOTTOM) as u32);
        let area = SVGBackend::with_string(&mut picture, size).into_drawing_area();
        let draw = Pen { area };
        draw.area.fill(&WHITE)?;
        draw.legend(groups)?;
        draw.scale(end)?;
        let mut top = TOP + GAP / 2;
        for group in groups {
            draw.group(group, top)?;
            top += height(group);
        }
        draw.area.present()?;
    }
    // Lines that people can read, too.
    let picture = picture.replace(" font-family=", "\nfont-family=");
    Ok(format!("{}\n", picture.trim_end()))
}

/// Pixels from the left edge.
fn x(ratio: f64) -> i32 {
    let room = f64::from(WIDTH - NAMES - RIGHT);
    NAMES + (ratio.min(LONGEST) / LONGEST * room).round() as i32
}

struct Pen<'a> {
    area: DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
}

impl Pen<'_> {
    fn text(&self, text: &str, at: (i32, i32), size: f64, side: HPos) -> Result<()> {
        let style = ("sans-serif", size)
            .into_text_style(&self.area)
            .pos(Pos::new(side, VPos::Center));
        self.area.draw(&Text::new(text, at, style))?;
        Ok(())
    }

    fn bar(&self, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<()> {
        self.area
            .draw(&Rectangle::new([from, to], colour.filled()))?;
        Ok(())
    }

    fn legend(&self, groups: &[Group]) -> Result<()> {
        let title = "Cost of an I/O, Tandem to the C module: shorter is better";
        self.text(title, (WIDTH / 2, 18), TITLE, HPos::Center)?;
        let shown = |place: &usize| {
            let mut ratios = groups.iter().flat_map(|group| &group.ratios);
            ratios.any(|(other, _)| other == place)
        };
        let mut left = 20;
        for place in (0..SERIES.len()).filter(shown) {
            let series = &SERIES[place];
            self.bar((left, 40), (left + BAR, 40 + BAR), series.colour)?;
            self.text(series.text, (left + 18, 46), SMALL, HPos::Left)?;
            left += 300;
        }
        Ok(())
    }

    /// Lines at each quarter; the C module's is a strong one.
    fn scale(&self, end: i32) -> Result<()> {
        for quarter in 0..=(LONGEST * 4.0) as i32 {
            let ratio = f64::from(quarter) / 4.0;
            let at = x(ratio);
            let (colour, width) = match quarter {
                4 => (BLACK, 2),
                _ => (RGBColor(210, 210, 210), 1),
            };
            let line = vec![(at, TOP), (at, end)];
            self.area
                .draw(&PathElement::new(line, colour.stroke_width(width)))?;
            let text = match quarter {
                4 => "1 = C module".into(),
                _ => format!("{ratio}"),
            };
            self.text(&text, (at, TOP - 12), SMALL, HPos::Center)?;
        }
        Ok(())
    }

    fn group(&self, group: &Group, top: i32) -> Result<()> {
        let middle = top + BAR * group.ratios.len() as i32 / 2;
        self.text(group.job, (NAMES - 10, middle), SMALL, HPos::Right)?;
        for (row, (place, ratio)) in (0..).zip(&group.ratios) {
            let y = top + BAR * row;
            let end = x(*ratio);
            self.bar((NAMES, y), (end, y + BAR - 1), SERIES[*place].colour)?;
            self.text(
                &format!("{ratio:.2}"),
                (end + 6, y + BAR / 2),
                TINY,
                HPos::Left,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(job: &str, module: &str, clock: Clock, figure: f64) -> Record {
        let timed = clock == Clock::Time;
        Record {
            job: job.into(),
            setup: Setup::Pair,
            clock,
            module: module.into(),
            protocol: Some("C".into()),
            seed: 1,
            iops: timed.then_some(figure),
            instructions_per_io: (!timed).then_some(figure),
            mib_per_s: None,
            seconds: None,
            p99_us: None,
            p99_9_us: None,
        }
    }

    #[test]
    fn ratios_are_of_costs() {
        let job = "randwrite-4k-qd1";
        let records = [
            record(job, "tandem", Clock::Time, 400.0),
            record(job, "drbd", Clock::Time, 200.0),
            record(job, "tandem", Clock::Icount, 3.0),
            record(job, "drbd", Clock::Icount, 4.0),
            record("resync", "tandem", Clock::Icount, 4.0),
        ];
        let groups = groups(&records);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].ratios, [(0, 0.75), (1, 0.5)]);
    }

    #[test]
    fn a_picture_has_a_bar_for_each_ratio_and_lines_that_can_be_read() {
        let group = Group {
            job: "resync",
            ratios: vec![(0, 0.75), (1, 3.5)],
        };
        let picture = draw(&[group]).unwrap();
        assert!(picture.contains("resync") && picture.contains("0.75"));
        assert!(picture.contains("3.50") && picture.ends_with("</svg>\n"));
        let wide = |line: &&str| line.len() > 120 && !line.contains("://");
        assert_eq!(picture.lines().find(wide), None);
    }
}
