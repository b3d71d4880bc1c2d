// SPDX-License-Identifier: GPL-2.0

//! `scripts/vm`: virtual machines by hand.

use std::{
    io::{self, Write},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{anyhow, Result};
use clap::{Args, Parser, Subcommand};
use vm::{parse_size, Cluster, Drivers, Kernel, Link, Spec};

/// Status of `sh` when the guest's kernel complained.
const COMPLAINED: u8 = 99;

/// Boots and drives virtual machines that replicate to each other.
#[derive(Parser)]
#[command(name = "scripts/vm")]
struct Cli {
    /// Which cluster, when there are several.
    #[arg(long, global = true, default_value = "default")]
    name: String,
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Boots nodes a, b, ... with their drivers loaded.
    Up(Up),
    /// Runs a command on a node; its output and status become those of this command.
    Sh {
        /// The node.
        node: String,
        /// What to run there, by sh.
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<String>,
        /// The longest it may take, in seconds.
        #[arg(long, default_value_t = 3600)]
        limit: u64,
    },
    /// Cuts or joins the cable between two nodes.
    Link {
        /// The two nodes, as a-b.
        pair: String,
        /// What the cable shall be.
        #[arg(value_parser = ["down", "up"])]
        state: String,
    },
    /// Cuts a node's power.
    Kill {
        /// The node.
        node: String,
    },
    /// Boots a node again on the disks it has.
    Start {
        /// The node.
        node: String,
    },
    /// Shows what a node's console printed.
    Console {
        /// The node.
        node: String,
        /// Goes on showing until interrupted.
        #[arg(short, long)]
        follow: bool,
    },
    /// Tells which nodes are on and whether their kernels are content.
    Status,
    /// Ends the cluster; the consoles stay, the disks go.
    Down,
}

#[derive(Args)]
struct Up {
    /// Number of nodes.
    #[arg(long, default_value_t = 2)]
    nodes: usize,
    /// stock or debug.
    #[arg(long, default_value = "stock")]
    kernel: String,
    /// tandem, drbd or none; for all, or as a=tandem,b=drbd.
    #[arg(long, default_value = "tandem")]
    driver: String,
    /// Module parameters.
    #[arg(long, default_value = "")]
    driver_args: String,
    /// Virtual processors of a node.
    #[arg(long, default_value_t = 2)]
    cpus: u32,
    /// Memory of a node, as 1G or 768M.
    #[arg(long, default_value = "1G")]
    mem: String,
    /// Count instructions instead of time (one processor, repeatable).
    #[arg(long)]
    icount: bool,
    /// Another phase of timers when instructions are counted.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Size of each of the two data disks.
    #[arg(long, default_value = "1G")]
    disk_size: String,
    /// Let the host lose what the guest flushed (quicker).
    #[arg(long)]
    unsafe_disks: bool,
    /// Let the disks lose at a power cut what was not flushed.
    #[arg(long)]
    volatile_disks: bool,
    /// The first so many nodes have systemd, a cluster manager, a watchdog and a shared disk.
    #[arg(long, default_value_t = 0)]
    servers: usize,
    /// The nodes have PostgreSQL.
    #[arg(long)]
    databases: bool,
    /// Further kernel parameters.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    append: String,
}

impl Up {
    fn spec(&self) -> Result<Spec> {
        Ok(Spec {
            nodes: self.nodes,
            kernel: self.kernel.parse::<Kernel>()?,
            stock_for_drbd: false,
            drivers: Drivers::parse(&self.driver)?,
            driver_args: self.driver_args.clone(),
            cpus: self.cpus,
            mem_mib: u32::try_from(parse_size(&self.mem)? >> 20)?,
            icount: self.icount,
            seed: self.seed,
            disk_bytes: parse_size(&self.disk_size)?,
            unsafe_disks: self.unsafe_disks,
            volatile_disks: self.volatile_disks,
            servers: self.servers,
            databases: self.databases,
            append: self.append.clone(),
        })
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("tandem: error: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(cli: &Cli) -> Result<u8> {
    let open = || Cluster::open(&cli.name);
    match &cli.command {
        Action::Up(up) => {
            let begin = Instant::now();
            let cluster = Cluster::up_and_leave(&cli.name, &up.spec()?)?;
            let names = cluster.spec().names().join(", ");
            let seconds = begin.elapsed().as_secs_f64();
            println!(
                "nodes {names} of cluster '{}' are up after {seconds:.1} s",
                cli.name
            );
            cluster.check()?;
        }
        Action::Sh {
            node,
            command,
            limit,
        } => return sh(&open()?, node, &command.join(" "), *limit),
        Action::Link { pair, state } => {
            let (one, other) = pair
                .split_once('-')
                .ok_or_else(|| anyhow!("'{pair}' names no link: write a-b"))?;
            open()?.link(
                one,
                other,
                if state == "up" { Link::Up } else { Link::Down },
            )?;
        }
        Action::Kill { node } => open()?.node(node)?.kill()?,
        Action::Start { node } => open()?.node(node)?.start()?,
        Action::Console { node, follow } => {
            let path = open()?.node(node)?.console_path();
            let mut show = Command::new(if *follow { "tail" } else { "cat" });
            if *follow {
                show.args(["-n", "+1", "-f"]);
            }
            show.arg(path).status()?;
        }
        Action::Status => return status(&open()?),
        Action::Down => open()?.down()?,
    }
    Ok(0)
}

fn sh(cluster: &Cluster, node: &str, command: &str, limit: u64) -> Result<u8> {
    let node = cluster.node(node)?;
    let output = node.sh_within(command, Duration::from_secs(limit))?;
    io::stdout().write_all(output.stdout.as_bytes())?;
    io::stderr().write_all(output.stderr.as_bytes())?;
    if let Some(splat) = node.complaint()? {
        eprintln!("tandem: error: {splat}");
        return Ok(COMPLAINED);
    }
    Ok(u8::try_from(output.status).unwrap_or(u8::MAX))
}

fn status(cluster: &Cluster) -> Result<u8> {
    let mut worst = 0;
    for node in cluster.nodes() {
        let power = if node.is_on() { "on" } else { "off" };
        println!(
            "{} {} {power} driver {}",
            node.name(),
            node.address(),
            node.driver()
        );
        if let Some(splat) = node.complaint()? {
            println!("{splat}");
            worst = COMPLAINED;
        }
    }
    Ok(worst)
}
