// SPDX-License-Identifier: GPL-2.0

//! `make demo-ha` and `make test-ha`: a mail server on two machines under a cluster manager, a
//! client that never stops sending, and machines, links and disks that fail.

mod client;
mod clock;
mod judge;
mod narrator;
mod servers;
mod setup;
mod stage;
mod stories;
mod table;
mod timeline;

use std::{fs, process::ExitCode};

use anyhow::{ensure, Context, Result};
use clap::Parser;
use vm::{Cluster, Driver};

use crate::{narrator::Narrator, setup::Handlers, stage::Stage, table::Table};

/// A mail server that survives the loss of its machine.
#[derive(Parser)]
#[command(name = "ha")]
struct Cli {
    /// Stories to tell, by name or a part of it; all when none is given.
    stories: Vec<String>,
    /// Lists the stories.
    #[arg(long)]
    list: bool,
    /// How often the stories are told, one after the other on the same two machines.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// The replication driver of both servers: tandem or drbd. With "tandem,drbd" the stories are
    /// told with each, and the times are compared at the end.
    #[arg(long, default_value = "tandem", value_delimiter = ',')]
    driver: Vec<Driver>,
    /// Who answers fence-peer: "ours", or "scripts" (those of drbd-utils).
    #[arg(long, default_value = "ours")]
    handlers: Handlers,
    /// Leaves the machines running at the end.
    #[arg(long)]
    keep: bool,
    /// Tells the stories on machines that an earlier run has left running.
    #[arg(long, value_name = "NAME")]
    on: Option<String>,
    /// What the verdict's line begins with.
    #[arg(long, default_value = "demo-ha")]
    verdict: String,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        for story in stories::ALL {
            println!("{:14} {}", story.name, story.title);
        }
        return ExitCode::SUCCESS;
    }
    vm::stop_orphans();
    match run(&cli) {
        Ok(()) => {
            println!("{}: PASS", cli.verdict);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            let cause = error.root_cause().to_string();
            let cause = cause.lines().next().unwrap_or("unknown").to_owned();
            let story = error.to_string();
            let story = story.lines().next().unwrap_or_default();
            println!("{}: FAIL ({story}: {cause})", cli.verdict);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    vm::stop_on_signals()?;
    let stories = stories::chosen(&cli.stories)?;
    ensure!(!stories.is_empty(), "no story is called so: see --list");
    ensure!(
        cli.driver.len() == 1 || cli.on.is_none() && !cli.keep,
        "with several drivers the machines are new ones, and not kept"
    );
    let mut tables = Vec::new();
    for &driver in &cli.driver {
        if cli.driver.len() > 1 {
            println!("== with the driver {driver}");
        }
        tables.push(run_with(cli, driver, &stories)?);
    }
    for table in &tables {
        table.print();
    }
    table::explain();
    table::compare(&tables);
    Ok(())
}

/// All stories with one driver.
fn run_with(cli: &Cli, driver: Driver, stories: &[&stories::Story]) -> Result<Table> {
    let narrator = Narrator::new();
    let cluster = match &cli.on {
        Some(name) => Cluster::open(name)?,
        None => {
            let name = format!("ha-{}", std::process::id());
            setup::boot(&name, driver, &narrator)?
        }
    };
    let folder = cluster.folder().to_path_buf();
    let result = tell(cli, driver, stories, &cluster, narrator);
    if result.is_err() {
        stage::keep_journals(&cluster);
        println!("  consoles and journals are in {}", folder.display());
    }
    if cli.keep || cli.on.is_some() {
        println!(
            "  the machines run on: scripts/vm --name {}",
            cluster.name()
        );
        cluster.leave_running();
        return result;
    }
    drop(cluster);
    let table = result?;
    fs::remove_dir_all(&folder)?;
    Ok(table)
}

fn tell(
    cli: &Cli,
    driver: Driver,
    stories: &[&stories::Story],
    cluster: &Cluster,
    narrator: Narrator,
) -> Result<Table> {
    if cli.on.is_none() {
        setup::form(cluster, cli.handlers, &narrator).context("forming the cluster")?;
    }
    let mut stage = Stage::new(cluster, cli.handlers, narrator)?;
    stage.open().context("the first mails")?;
    let mut table = Table::new(driver);
    for round in 1..=cli.rounds {
        for story in stories {
            let name = match cli.rounds {
                1 => story.name.to_owned(),
                _ => format!("{} {round}", story.name),
            };
            stage.narrator.story(&name, story.title);
            let row = (story.tell)(&mut stage).with_context(|| name.clone())?;
            stage.judge(&row).with_context(|| format!("after {name}"))?;
            table.add(&name, row);
        }
    }
    stage.close().context("at the end")?;
    Ok(table)
}
