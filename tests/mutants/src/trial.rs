// SPDX-License-Identifier: GPL-2.0

//! The simulator, built with and without a fault, and what it finds.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};

use crate::tree::Tree;

/// A run that is not over by then goes round in circles, which is a failure like others.
const LIMIT: Duration = Duration::from_secs(1800);

/// How a fault was found.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// By a seed.
    Seed {
        /// How many seeds it took.
        after: u64,
        /// What was said.
        failure: String,
    },
    /// By a story of that name.
    Story(String),
    /// Not at all.
    Survived,
}

/// The simulator of the tree as it is, to tell planted faults from others.
#[derive(Debug)]
pub(crate) struct Simulator {
    sound: PathBuf,
    seeds: u64,
}

impl Simulator {
    /// Builds it.
    pub(crate) fn build(tree: &Tree, seeds: u64) -> Result<Self> {
        build(tree)?;
        if let Some(story) = failed_story(tree)? {
            bail!("the story {story} fails without any fault planted");
        }
        let sound = tree.build_folder().join("sim-sound");
        fs::copy(program(tree), &sound)?;
        Ok(Self { sound, seeds })
    }

    /// Builds the tree with its fault and looks for it: in seeds, from `start` on, and in stories.
    pub(crate) fn look(&self, tree: &Tree, start: u64, stories_first: bool) -> Result<Verdict> {
        build(tree)?;
        if stories_first {
            if let Some(story) = failed_story(tree)? {
                return Ok(Verdict::Story(story));
            }
        }
        let end = start + self.seeds;
        let mut from = start;
        while let Some((seed, failure)) = first_failure(&program(tree), tree, from, end - from)? {
            // What fails without the fault, too, does not show it.
            if first_failure(&self.sound, tree, seed, 1)?.is_none() {
                let after = seed - start + 1;
                return Ok(Verdict::Seed { after, failure });
            }
            from = seed + 1;
        }
        Ok(match failed_story(tree)? {
            Some(story) => Verdict::Story(story),
            None => Verdict::Survived,
        })
    }
}

fn program(tree: &Tree) -> PathBuf {
    tree.build_folder().join("release/sim")
}

fn cargo(tree: &Tree, command: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .args([command, "--release", "--package", "sim", "--manifest-path"])
        .arg(tree.path().join("tests/Cargo.toml"))
        .env("CARGO_TARGET_DIR", tree.build_folder())
        .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true");
    cargo
}

fn build(tree: &Tree) -> Result<()> {
    let output = cargo(tree, "build").output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "it does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// The first of `seeds` seeds from `start` on that fails, and how.
fn first_failure(
    program: &PathBuf,
    tree: &Tree,
    start: u64,
    seeds: u64,
) -> Result<Option<(u64, String)>> {
    let log = tree.build_folder().join("sim.log");
    let mut child = Command::new(program)
        .args(["--brief", "--start", &start.to_string()])
        .args(["--seeds", &seeds.to_string()])
        .stdout(File::create(&log)?)
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| program.display().to_string())?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(Some((start, "no end".to_owned())));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if status.success() {
        return Ok(None);
    }
    let text = fs::read_to_string(&log)?;
    let first = text.lines().next().and_then(failure_of);
    Ok(Some(first.with_context(|| {
        format!("the simulator ended with {status}")
    })?))
}

/// Seed and failure of a line "seed 7: stuck ...".
fn failure_of(line: &str) -> Option<(u64, String)> {
    let (seed, failure) = line.strip_prefix("seed ")?.split_once(": ")?;
    Some((seed.parse().ok()?, failure.to_owned()))
}

/// The first story that fails; the seeds that were kept are the last one.
fn failed_story(tree: &Tree) -> Result<Option<String>> {
    let output = cargo(tree, "test")
        .arg("--tests")
        .output()
        .context("cannot run cargo")?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let failed = text.lines().find_map(|line| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(name.to_owned())
    });
    Ok(Some(failed.context("the stories do not run")?))
}

#[cfg(test)]
mod tests {
    use super::failure_of;

    #[test]
    fn the_simulator_s_line_is_read() {
        let read = failure_of("seed 12: stuck: a b").expect("line");
        assert_eq!(read, (12, "stuck: a b".to_owned()));
        assert_eq!(failure_of("12 seeds"), None);
    }
}
