// SPDX-License-Identifier: GPL-2.0

//! `make fuzz-wire` and `make fuzz-netlink`: boots a machine and runs one of the live fuzzers
//! there, batch after batch. One line after each says how far it is, and where to go on.

use std::{
    process::ExitCode,
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use clap::Parser;
use live_fuzz::{
    batch::SEEDS,
    host::{batch, install, reached, Fuzzer},
    tally::Tally,
};
use vm::{Cluster, Driver, Drivers, Kernel, Spec};

/// A peer or a tool that lies, against a running module in a virtual machine.
#[derive(Parser)]
#[command(name = "live-fuzz")]
struct Cli {
    /// Which one.
    fuzzer: Fuzzer,
    /// So many sessions or messages.
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// And for so many minutes, at most.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    start: u64,
    /// Only this seed: a failure again.
    #[arg(long)]
    seed: Option<u64>,
    /// The kernel of the machine: stock or debug.
    #[arg(long, default_value = "debug", value_parser = Kernel::from_str)]
    kernel: Kernel,
    /// Leaves the machine running after a failure.
    #[arg(long)]
    keep: bool,
}

/// How long a batch is: after each the machine is judged.
const BATCH: Duration = Duration::from_secs(60);

/// The search for lost memory.
const SEARCH: Duration = Duration::from_secs(240);

/// Unloading the module.
const RESET: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("live-fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    vm::stop_on_signals()?;
    let spec = Spec {
        nodes: 1,
        kernel: cli.kernel,
        drivers: Drivers::all(Driver::Tandem),
        mem_mib: 2048,
        disk_bytes: 32 << 20,
        append: match cli.kernel {
            Kernel::Debug => vm::FIND_LEAKS.into(),
            Kernel::Stock => String::new(),
        },
        ..Spec::default()
    };
    let cluster = Cluster::up(&format!("fuzz-{}", std::process::id()), &spec)?;
    let result = batches(cli, &cluster);
    match result {
        Err(error) if cli.keep => {
            println!(
                "machine kept: scripts/vm --name {} sh a ...",
                cluster.name()
            );
            cluster.leave_running();
            Err(error)
        }
        Err(error) => {
            let folder = cluster.folder().display().to_string();
            drop(cluster);
            Err(error.context(format!("the console is in {folder}")))
        }
        Ok(()) => cluster.down(),
    }
}

fn batches(cli: &Cli, cluster: &Cluster) -> Result<()> {
    let node = cluster.node("a")?;
    let scale = cluster.spec().time_scale();
    install(node)?;
    let (mut next, end) = match cli.seed {
        Some(seed) => (seed, seed + 1),
        None => (cli.start, cli.start.saturating_add(cli.count)),
    };
    let (begin, time) = (Instant::now(), Duration::from_secs(cli.minutes * 60));
    let mut total = Tally::default();
    while next < end && begin.elapsed() < time {
        let left = time.saturating_sub(begin.elapsed()).min(BATCH);
        let tally = batch(node, scale, cli.fuzzer, (next, end - next), left)
            .with_context(|| format!("in the batch from START={next}"))?;
        let done = tally.of(SEEDS);
        if done == 0 {
            bail!("nothing was done in the batch from START={next}");
        }
        // Threads are not equally quick: some seeds come twice, none is left out for good.
        next += done;
        total.merge(&tally);
        progress(cli, &total, next, begin.elapsed());
    }
    node.ok_within("/payload/reset", RESET.mul_f64(scale))?;
    if cli.kernel == Kernel::Debug {
        let found = node.sh_within("/payload/leaks", SEARCH.mul_f64(scale))?;
        if !found.success() {
            bail!("memory was lost:\n{}{}", found.stdout, found.stderr);
        }
    }
    print!("{total}");
    if cli.seed.is_none() {
        reached(cli.fuzzer, &total)?;
    }
    println!(
        "{}: {} well",
        cli.fuzzer.unit(),
        total.of(cli.fuzzer.unit())
    );
    Ok(())
}

/// One line: how much is done, how quickly, and what is left.
fn progress(cli: &Cli, total: &Tally, next: u64, elapsed: Duration) {
    let (unit, seconds) = (cli.fuzzer.unit(), elapsed.as_secs_f64());
    let done = total.of(unit);
    let rate = done as f64 / seconds;
    let by_count = cli.count.saturating_sub(done) as f64 / rate;
    let by_time = (cli.minutes * 60) as f64 - seconds;
    let left = by_count.min(by_time).max(0.0);
    let changed = total.of("packets changed");
    let packets = match changed {
        0 => String::new(),
        _ => format!(", {changed} packets changed"),
    };
    println!("{done} {unit}{packets}; {rate:.0} a second, {left:.0} s left; next START={next}");
}
