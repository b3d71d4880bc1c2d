// SPDX-License-Identifier: GPL-2.0

//! Other programs of the harness that test something: the simulator, the cost, the power cuts. Each
//! counts as one case.

use std::{process::Command, time::Instant};

use crate::{report::Report, turns::Turn};

/// How long the power cuts may take, in minutes: on a slow day there are fewer, as the whole has to
/// end.
const CUT_MINUTES: u32 = 6;

/// Status of a program that left something out, and said what.
const SKIPPED: i32 = 77;

/// Runs the simulator over as many seeds that no commit before had.
pub(crate) fn simulate(seeds: u64, report: &mut Report) {
    println!("# {seeds} new seeds in the simulator");
    if seeds == 0 {
        return skip("new seeds in the simulator", report);
    }
    let seeds = seeds.to_string();
    let arguments = ["sim", "--from-commit", "--seeds", &seeds];
    test("simulator: new seeds", &arguments, report);
}

/// Counts what our module costs, beside the committed figures.
pub(crate) fn count_cost(report: &mut Report) {
    println!("# cost in instructions, beside tests/bench/figures.toml");
    test("bench: cost as committed", &["bench", "check"], report);
}

/// Makes so many power cuts, which are others in each commit.
pub(crate) fn cut_power(cuts: u64, report: &mut Report) {
    println!("# {cuts} power cuts under load, at most {CUT_MINUTES} minutes");
    if cuts == 0 {
        return skip("power cuts under load", report);
    }
    let start = Turn::of_commit().seed();
    let [cuts, start, minutes] = [cuts, start, CUT_MINUTES.into()].map(|number| number.to_string());
    let arguments = [
        "endure",
        "--cuts",
        &cuts,
        "--start",
        &start,
        "--minutes",
        &minutes,
    ];
    test(&format!("endure: {cuts} power cuts"), &arguments, report);
}

fn skip(what: &str, report: &mut Report) {
    println!("skipped: {what}");
    report.add(0, 0, 1);
}

/// Runs a program of the harness; what it finds it says itself.
fn test(name: &str, arguments: &[&str], report: &mut Report) {
    let Some((program, arguments)) = arguments.split_first() else {
        return;
    };
    let repository = vm::repository();
    let began = Instant::now();
    let status = Command::new(repository.join("target/tests/release").join(program))
        .args(arguments)
        .current_dir(&repository)
        .status();
    match status.map(|status| status.code()) {
        Ok(Some(0)) => report.pass(name, began.elapsed().as_secs_f64()),
        Ok(Some(SKIPPED)) => report.add(0, 0, 1),
        Ok(_) => report.fail(name, "what was wrong is above"),
        Err(error) => report.fail(name, &error.to_string()),
    }
}
