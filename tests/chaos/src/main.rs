// SPDX-License-Identifier: GPL-2.0

//! `make chaos`: two machines replicate three resources of two volumes in both directions, while
//! links flap, disks fail and return, roles and options change, and 16 clients give commands. At
//! the end of each minute the faults stop, and everything has to come to rest, connected and equal.

mod bell;
mod plan;
mod resource;
mod rest;
mod roles;
mod round;
mod steps;
mod verified;

use std::{
    process::ExitCode,
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure, Context, Result};
use clap::{Parser, ValueEnum};
use vm::{
    pair::{long_run, Pair},
    Kernel, Spec,
};

use crate::{
    plan::{Node, Plan, RESOURCES},
    resource::{Resource, PARTS, SECTORS},
    round::Counts,
};

/// Faults of all kinds at once, for a minute each time; then everything has to come to rest.
#[derive(Parser)]
#[command(name = "chaos")]
struct Cli {
    /// So many rounds.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The number of the first.
    #[arg(long, default_value_t = 1)]
    start: u64,
    /// What all draws come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long the faults of a round last.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The kernel of the machines: stock or debug.
    #[arg(long, default_value = "stock", value_parser = Kernel::from_str)]
    kernel: Kernel,
    /// Leaves the machines running after a failure.
    #[arg(long)]
    keep: bool,
    /// Plants a fault in the first round, which the run has to find.
    #[arg(long)]
    plant: Option<Plant>,
}

/// A fault to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Plant {
    /// A byte of a lower disk is another one when all is at rest.
    Block,
    /// Disks that are away at the end are not attached again on node b, and one is.
    Disk,
}

fn main() -> ExitCode {
    vm::stop_orphans();
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    vm::stop_on_signals()?;
    let spec = Spec {
        disk_bytes: PARTS * SECTORS * 512,
        kernel: cli.kernel,
        mem_mib: match cli.kernel {
            Kernel::Stock => 512,
            Kernel::Debug => 1024,
        },
        ..Spec::default()
    };
    long_run("chaos", &spec, cli.keep, |pair| rounds(cli, pair))
}

fn rounds(cli: &Cli, pair: &Pair<'_>) -> Result<()> {
    resource::prepare(pair)?;
    for index in 0..RESOURCES {
        Resource::new(pair, index).make()?;
    }
    let begin = Instant::now();
    for number in cli.start..cli.start.saturating_add(cli.minutes) {
        let plan = Plan::draw(cli.seed, number, Duration::from_secs(cli.seconds));
        let plant = cli.plant.filter(|_| number == cli.start);
        let outcome = round(pair, &plan, plant).with_context(|| {
            format!(
                "{plan}; again: make chaos MINUTES=1 START={number} SEED={}\n",
                cli.seed
            )
        })?;
        let rounds = number - cli.start + 1;
        let each = begin.elapsed().as_secs_f64() / rounds as f64;
        println!(
            "{plan}, seed {}: {outcome}; {rounds} of {}, {each:.0} s each, {:.1} min left; next \
             START={}",
            cli.seed,
            cli.minutes,
            each * (cli.minutes - rounds) as f64 / 60.0,
            number + 1
        );
    }
    Ok(())
}

/// What became of a round.
struct Outcome {
    counts: Counts,
    /// Writes that were done, and that failed.
    written: [u64; 2],
    rest: Duration,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [done, failed] = self.written;
        write!(
            f,
            "{}, {done} writes, {failed} failed; at rest after {:.1} s",
            self.counts,
            self.rest.as_secs_f64()
        )
    }
}

/// One round, from a pair in sync to a pair in sync.
fn round(pair: &Pair<'_>, plan: &Plan, plant: Option<Plant>) -> Result<Outcome> {
    let mut console = [0; 2];
    for (begin, side) in console.iter_mut().zip([pair.a, pair.b]) {
        *begin = side.console()?.len();
        side.ok(&format!("echo 'chaos: {plan}' >/dev/kmsg"))?;
    }
    let result = chaos_and_rest(pair, plan, plant);
    // Whatever else went wrong, a complaint of the kernel says more.
    rest::nothing_forbidden(pair, console)
        .and(result)
        .map_err(|error| anyhow!("{error:#}\n{}", rest::look(pair)))
}

fn chaos_and_rest(pair: &Pair<'_>, plan: &Plan, plant: Option<Plant>) -> Result<Outcome> {
    let (mut counts, mut all) = round::run(pair, plan)?;
    if plant == Some(Plant::Disk) {
        let is_away = all[0].resource.of_volume(Node::B, "detach --force", 0)?;
        ensure!(is_away, "the fault could not be planted: try another START");
    }
    let rest = rest::come(pair, &mut all, plant)?;
    rest::compare(pair, &all, plant)?;
    for steps in &all {
        counts += steps.counts();
    }
    let mut written = [0; 2];
    for side in [pair.a, pair.b] {
        let said = resource::script(&side, "written")?;
        for (sum, count) in written.iter_mut().zip(said.split_whitespace()) {
            *sum += count.parse::<u64>()?;
        }
    }
    Ok(Outcome {
        counts,
        written,
        rest,
    })
}
