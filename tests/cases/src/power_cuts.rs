// SPDX-License-Identifier: GPL-2.0

//! Some power cuts of `make endure`, counted with the cases.

use std::{process::Command, time::Instant};

use crate::{report::Report, turns::Turn};

/// How long they may take, in minutes: on a slow day there are fewer, as the whole has to end.
const MINUTES: u32 = 6;

/// The exit status of `endure` when there was no time for all.
const LEFT_OUT: i32 = 3;

/// Makes so many, which are others in each commit.
pub(crate) fn test(cuts: u64, report: &mut Report) {
    println!("# {cuts} power cuts under load, at most {MINUTES} minutes");
    if cuts == 0 {
        println!("skipped: power cuts under load");
        return report.add(0, 0, 1);
    }
    let name = format!("endure: {cuts} power cuts");
    let repository = vm::repository();
    let began = Instant::now();
    let status = Command::new(repository.join("target/tests/release/endure"))
        .args(["--cuts", &cuts.to_string()])
        .args(["--start", &Turn::of_commit().seed().to_string()])
        .args(["--minutes", &MINUTES.to_string()])
        .current_dir(&repository)
        .status();
    match status.map(|status| status.code()) {
        Ok(Some(0)) => report.pass(&name, began.elapsed().as_secs_f64()),
        Ok(Some(LEFT_OUT)) => {
            report.pass("endure: fewer power cuts", began.elapsed().as_secs_f64());
            println!("skipped: the power cuts that there was no time for");
            report.add(0, 0, 1);
        }
        Ok(_) => report.fail(&name, "what was wrong is above"),
        Err(error) => report.fail(&name, &error.to_string()),
    }
}
