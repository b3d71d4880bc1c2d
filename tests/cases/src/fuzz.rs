// SPDX-License-Identifier: GPL-2.0

//! The fuzz targets, each for some seconds, counted with the cases.

use std::{process::Command, time::Instant};

use crate::report::Report;

/// How long each target runs, in seconds. What has to be found at once is found in that time; for
/// more there is `make fuzz`.
const SECONDS: u32 = 5;

/// Runs them all, one after the other.
pub(crate) fn test(report: &mut Report) {
    let script = vm::repository().join("scripts/fuzz");
    println!("# fuzz targets, {SECONDS} s each");
    for target in ::fuzz::TARGETS {
        let name = format!("fuzz {}", target.name);
        let started = Instant::now();
        let run = Command::new(&script)
            .arg(target.name)
            .arg(SECONDS.to_string())
            .output();
        match run {
            Ok(output) if output.status.success() => {
                report.pass(&name, started.elapsed().as_secs_f64());
            }
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                report.fail(&name, &String::from_utf8_lossy(&said));
            }
            Err(error) => report.fail(&name, &format!("cannot run scripts/fuzz: {error}")),
        }
    }
}
