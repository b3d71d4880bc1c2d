// SPDX-License-Identifier: GPL-2.0

//! Runs seeds, or tells the story of one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use sim::random::Plan;

/// Runs the engine under simulated faults.
#[derive(Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// One seed, with its story.
    #[arg(long)]
    seed: Option<u64>,
    /// Go on after a failure.
    #[arg(long)]
    keep_going: bool,
}

fn main() {
    let args = Args::parse();
    if let Some(seed) = args.seed {
        return tell(seed);
    }
    let next = AtomicU64::new(args.start);
    let failed = AtomicBool::new(false);
    let steps = AtomicU64::new(0);
    let end = args.start + args.seeds;
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end || failed.load(Ordering::Relaxed) && !args.keep_going {
                    break;
                }
                let outcome = sim::random::run(&Plan::of(seed));
                steps.fetch_add(outcome.steps, Ordering::Relaxed);
                if let Some(failure) = outcome.failure {
                    failed.store(true, Ordering::Relaxed);
                    println!("seed {seed}: {failure}");
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} seeds, {} steps, {seconds:.1} s",
        next.load(Ordering::Relaxed).min(end) - args.start,
        steps.load(Ordering::Relaxed)
    );
    if failed.load(Ordering::Relaxed) {
        println!("replay: make sim SEED=<seed>");
        std::process::exit(1);
    }
}

fn tell(seed: u64) {
    let plan = Plan {
        told: true,
        ..Plan::of(seed)
    };
    let outcome = sim::random::run(&plan);
    for line in &outcome.story {
        println!("{line}");
    }
    match outcome.failure {
        Some(failure) => {
            println!("seed {seed}: {failure}");
            std::process::exit(1);
        }
        None => println!("seed {seed}: well"),
    }
}
