// SPDX-License-Identifier: GPL-2.0

//! Runs seeds, or tells the story of one.

use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Parser;
use sim::batch::Batch;
use sim::plan::Plan;
use sim::random::{run, Outcome, OF_COMMITS};
use sim::shrink::shrink;
use sim::story::render;

/// Runs the engine, as a pair of nodes, under simulated faults.
#[derive(Parser)]
#[command(name = "sim")]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1_000_000)]
    start: u64,
    /// The first seed comes from the commit's name: other seeds for each commit.
    #[arg(long, conflicts_with = "start")]
    from_commit: bool,
    /// Only this seed, with its story: SEED, or SEED:ACTIONS@UNTIL as a failure names it.
    #[arg(long, value_name = "SEED")]
    seed: Option<Plan>,
    /// Makes the story of --seed short first.
    #[arg(long, requires = "seed")]
    shrink: bool,
    /// Goes on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Says only which seeds failed; does not look for short stories of them.
    #[arg(long)]
    brief: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let well = match &args.seed {
        Some(plan) if args.shrink => tell(&shrink(plan)),
        Some(plan) => tell(plan),
        None => seeds(&args),
    };
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs many seeds; true if all are well.
fn seeds(args: &Args) -> bool {
    // A panic is a failure like others, and told like them.
    std::panic::set_hook(Box::new(|_| ()));
    let start = if args.from_commit {
        match commit_start() {
            Ok(start) => start,
            Err(why) => {
                anstream::eprintln!("sim: error: no start from the commit: {why}");
                return false;
            }
        }
    } else {
        args.start
    };
    let batch = Batch {
        start,
        seeds: args.seeds,
        keep_going: args.keep_going,
    };
    let began = Instant::now();
    let results = batch.run();
    let seconds = began.elapsed().as_secs_f64();
    for (seed, failure) in &results.failures {
        anstream::println!("seed {seed}: {failure}");
    }
    if let (Some((seed, _)), false) = (results.failures.first(), args.brief) {
        anstream::println!("\nSeed {seed}, made short:");
        let plan = shrink(&Plan::of(*seed));
        tell(&plan);
    }
    anstream::println!(
        "{} seeds from {start}, {} failed, {} steps, {seconds:.1} s, {:.0} seeds a minute",
        results.ran,
        results.failures.len(),
        results.steps,
        results.ran as f64 * 60.0 / seconds.max(0.001)
    );
    results.failures.is_empty()
}

/// Tells a plan's story; true if it is well.
fn tell(plan: &Plan) -> bool {
    let Outcome {
        failure,
        story,
        picture,
        ..
    } = run(plan, true);
    anstream::print!("{}\n{picture}\n", render(&story));
    match failure {
        Some(failure) => {
            anstream::println!("seed {plan}: {failure}");
            anstream::println!("replay: make sim SEED={plan}");
            false
        }
        None => {
            anstream::println!("seed {plan}: well");
            true
        }
    }
}

/// A first seed that changes with the commit and is the same wherever the commit is checked out.
fn commit_start() -> Result<u64, String> {
    let output = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .output()
        .map_err(|error| error.to_string())?;
    let name = String::from_utf8_lossy(&output.stdout);
    let digits = name.get(..10).ok_or("git names no commit")?;
    // Below are seeds with fewer kinds of faults, for the sake of those that are kept.
    u64::from_str_radix(digits, 16)
        .map(|number| number + OF_COMMITS)
        .map_err(|error| error.to_string())
}
