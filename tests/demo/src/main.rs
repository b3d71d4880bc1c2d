// SPDX-License-Identifier: GPL-2.0

//! `make demo`: two machines, one disk, a power cut, told on the terminal.

mod disks;
mod narrator;
mod progress;
mod story;
mod tree;

use std::{env, fs, process::ExitCode};

use anyhow::Result;
use vm::{Cluster, Driver, Drivers, Spec};

use crate::{narrator::Narrator, story::Story};

/// Several times the guest's `/usr/share`, so that the second sync is seen to be a part only; small
/// enough that the first takes seconds.
const DISK_BYTES: u64 = 256 << 20;

fn main() -> ExitCode {
    vm::stop_orphans();
    match run() {
        Ok(()) => {
            println!("demo: PASS");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            let reason = format!("{error:#}");
            println!(
                "demo: FAIL ({})",
                reason.lines().next().unwrap_or("unknown")
            );
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    vm::stop_on_signals()?;
    let driver: Driver = env::var("DEMO_DRIVER")
        .as_deref()
        .unwrap_or("tandem")
        .parse()?;
    let mut narrator = Narrator::new();
    narrator.chapter(&format!(
        "Two virtual machines boot, with the module {driver} loaded"
    ));
    let spec = Spec {
        drivers: Drivers::all(driver),
        disk_bytes: DISK_BYTES,
        mem_mib: 768,
        cpus: 1,
        ..Spec::default()
    };
    let cluster = Cluster::up(&format!("demo-{}", std::process::id()), &spec)?;
    narrator.done("nodes a and b are up; a cable joins them, nothing reaches the host's network");
    let result = Story::new(&cluster, &mut narrator).and_then(|mut story| story.tell());
    let checked = cluster.check();
    let folder = cluster.folder().to_path_buf();
    drop(cluster);
    result
        .and(checked)
        .inspect_err(|_| println!("  the machines' consoles are in {}", folder.display()))?;
    fs::remove_dir_all(&folder)?;
    narrator.end();
    Ok(())
}
