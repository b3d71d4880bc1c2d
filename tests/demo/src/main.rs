// SPDX-License-Identifier: GPL-2.0

//! `make demo`: two machines, one disk, a power cut, told on the terminal.

mod disks;
mod narrator;
mod progress;
mod story;
mod tree;

use std::{env, fs, process::ExitCode};

use anyhow::{ensure, Result};
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
            println!("demo: FAIL ({})", reason(&error));
            ExitCode::FAILURE
        }
    }
}

/// One line: which chapter failed, and the cause at the bottom of it.
fn reason(error: &anyhow::Error) -> String {
    let cause = error.root_cause().to_string();
    let cause = cause.lines().next().unwrap_or("unknown");
    let chapter = error.to_string();
    if error.chain().len() == 1 {
        cause.into()
    } else {
        format!("{}: {cause}", chapter.lines().next().unwrap_or_default())
    }
}

fn run() -> Result<()> {
    vm::stop_on_signals()?;
    let driver: Driver = env::var("DEMO_DRIVER")
        .as_deref()
        .unwrap_or("tandem")
        .parse()?;
    ensure!(
        driver != Driver::None,
        "the demo needs a driver: DEMO_DRIVER is tandem or drbd"
    );
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

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::reason;

    #[test]
    fn the_reason_is_one_line_of_chapter_and_cause() {
        let cause = anyhow!("node a: 'mount' ended with status 32\nmount: no such device");
        assert_eq!(reason(&cause), "node a: 'mount' ended with status 32");
        let error = cause
            .context("end of the console:\nmuch text")
            .context("going on with node b");
        assert_eq!(
            reason(&error),
            "going on with node b: node a: 'mount' ended with status 32"
        );
    }
}
