// SPDX-License-Identifier: GPL-2.0

//! The cargo tests of both workspaces, counted with the cases.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{bail, Context, Result};

use crate::report::Report;

/// Workspace, its build folder from the checkout, and its profile. That of the harness is the one
/// that it was built with, checks included.
const WORKSPACES: &[(&str, &str, &str)] = &[
    ("userspace", "target", "dev"),
    ("tests", "target/tests", "release"),
];

/// Lets clippy look for what could panic in the engine: it is denied there.
pub(crate) fn deny_panics(report: &mut Report) {
    println!("# what could panic in the engine");
    let repository = vm::repository();
    let known = Command::new("cargo").args(["clippy", "--version"]).output();
    if !known.is_ok_and(|output| output.status.success()) {
        println!("skipped: clippy is not installed");
        return report.add(0, 0, 1);
    }
    let began = Instant::now();
    let status = Command::new("cargo")
        .args(["clippy", "--quiet", "--package", "tandem-engine"])
        .arg("--manifest-path")
        .arg(repository.join("userspace/Cargo.toml"))
        .args(["--", "-D", "warnings"])
        .env("CARGO_TARGET_DIR", repository.join("target"))
        .status();
    match status {
        Ok(status) if status.success() => {
            report.pass(
                "clippy: nothing in the engine can panic",
                began.elapsed().as_secs_f64(),
            );
        }
        Ok(_) => report.fail("clippy: the engine", "its complaints are above"),
        Err(error) => report.fail("clippy: the engine", &error.to_string()),
    }
}

/// Runs them all, one workspace after the other.
pub(crate) fn test(report: &mut Report) {
    let repository = vm::repository();
    for (workspace, target, profile) in WORKSPACES {
        println!("# cargo test in {workspace}");
        let failed_before = report.failed();
        if let Err(error) = test_one(&repository, (workspace, target, profile), report) {
            // Its own counts tell already when tests failed.
            if report.failed() == failed_before {
                report.fail(&format!("cargo test in {workspace}"), &format!("{error:#}"));
            }
        }
    }
}

fn test_one(
    repository: &Path,
    (workspace, target, profile): (&str, &str, &str),
    report: &mut Report,
) -> Result<()> {
    let mut child = Command::new("cargo")
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(["--profile", profile, "--manifest-path"])
        .arg(repository.join(workspace).join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", repository.join(target))
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            match counts(&line) {
                Some((passed, failed, skipped)) => report.add(passed, failed, skipped),
                // Successes are many and say nothing.
                None if line.ends_with(" ... ok") || line.trim().is_empty() => {}
                None if line.starts_with("running ") => {}
                None => println!("{line}"),
            }
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("it ended with {status}; its messages are above");
    }
    Ok(())
}

/// Passed, failed and ignored of a line "test result: ok. 3 passed; 0 failed; 1 ignored; ...".
fn counts(line: &str) -> Option<(u32, u32, u32)> {
    let rest = line.strip_prefix("test result: ")?;
    let rest = rest.split_once(". ")?.1;
    let mut numbers = rest.split("; ").map(|part| {
        let number = part.split(' ').next()?;
        number.parse::<u32>().ok()
    });
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn cargo_s_result_line_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; finished";
        assert_eq!(counts(line), Some((12, 3, 1)));
        assert_eq!(counts("running 3 tests"), None);
    }
}
