// SPDX-License-Identifier: GPL-2.0

//! The committed figures: what our module may cost.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::Command,
};

use anyhow::{anyhow, Context, Result};
use serde::{Deserialize, Serialize};
use vm::Node;

/// What the file begins with.
const HEAD: &str = "\
# SPDX-License-Identifier: GPL-2.0
# What our module costs: instructions for an I/O, as `make bench-check` counts them. Written by
# `make bench-figures`; better ones are committed with the change that made them so.
";

/// Cost above which the check fails, and below which new figures should be committed, as a part of
/// the committed one.
const SLACK: f64 = 0.03;

/// A file with figures.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Figures {
    /// What was counted with, by name: kernel, compiler, emulator, load. With another one of them,
    /// the figures say nothing.
    pub(crate) made_with: BTreeMap<String, String>,
    /// By job.
    pub(crate) instructions_per_io: BTreeMap<String, u64>,
}

/// What a count means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As committed, within the slack.
    Same,
    /// The check fails.
    Worse,
    /// The figures should be committed.
    Better,
}

impl Figures {
    fn path() -> PathBuf {
        vm::repository().join("tests/bench/figures.toml")
    }

    /// Reads the committed ones.
    pub(crate) fn read() -> Result<Self> {
        let path = Self::path();
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is wrong", path.display()))
    }

    /// Writes them, so that they can be committed.
    pub(crate) fn write(&self) -> Result<()> {
        let path = Self::path();
        fs::write(&path, self.text()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n[made-with]");
        for (what, version) in &self.made_with {
            let _ = writeln!(text, "{what} = {}", toml::Value::from(version.as_str()));
        }
        let _ = writeln!(text, "\n[instructions-per-io]");
        for (job, count) in &self.instructions_per_io {
            let _ = writeln!(text, "{job} = {count}");
        }
        text
    }

    /// What is another one here than when the figures were made; nothing if they count.
    pub(crate) fn differences(&self, here: &BTreeMap<String, String>) -> Vec<String> {
        let names: BTreeSet<_> = self.made_with.keys().chain(here.keys()).collect();
        let differ = |name: &&String| self.made_with.get(*name) != here.get(*name);
        let version = |of: &BTreeMap<String, String>, name: &str| {
            of.get(name).map_or_else(|| "none".into(), String::clone)
        };
        names
            .into_iter()
            .filter(differ)
            .map(|name| {
                let (then, now) = (version(&self.made_with, name), version(here, name));
                format!("the figures were made with {name} {then}, here is {now}")
            })
            .collect()
    }

    /// Judges a count of a job; none if the file does not have that job.
    pub(crate) fn judge(&self, job: &str, count: f64) -> Option<(f64, Verdict)> {
        let committed = *self.instructions_per_io.get(job)? as f64;
        let change = count / committed - 1.0;
        let verdict = match change {
            change if change > SLACK => Verdict::Worse,
            change if change < -SLACK => Verdict::Better,
            _ => Verdict::Same,
        };
        Some((change, verdict))
    }
}

/// What is counted with on this machine, in that guest.
pub(crate) fn made_with(node: &Node) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    found.insert("kernel".into(), node.ok("uname -r")?);
    found.insert("fio".into(), node.ok("fio --version")?);
    found.insert("qemu".into(), emulator()?);
    found.insert("rustc".into(), compiler()?);
    Ok(found)
}

/// QEMU's version.
fn emulator() -> Result<String> {
    let output = Command::new("qemu-system-x86_64")
        .arg("--version")
        .output()
        .context("cannot run qemu-system-x86_64; run scripts/install-deps")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    word_behind(&text, "version ").ok_or_else(|| anyhow!("QEMU does not tell its version: {text}"))
}

/// The version of the compiler that the module was made with: it notes that in what it makes.
fn compiler() -> Result<String> {
    let path = vm::repository().join("target/module/cloud-amd64/tandem.ko");
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mark = b"rustc version ";
    let at = bytes
        .windows(mark.len())
        .position(|window| window == mark)
        .ok_or_else(|| anyhow!("{} does not tell its compiler", path.display()))?;
    let note: Vec<u8> = bytes.iter().skip(at).take(64).copied().collect();
    let note = String::from_utf8_lossy(&note).into_owned();
    word_behind(&note, "version ")
        .ok_or_else(|| anyhow!("{} does not tell its compiler's version", path.display()))
}

fn word_behind(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        let map = |text: &str| BTreeMap::from([("kernel".to_owned(), text.to_owned())]);
        Figures {
            made_with: map("7.3.4"),
            instructions_per_io: BTreeMap::from([("randwrite-4k-qd1".to_owned(), 1000)]),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let figures = figures();
        assert_eq!(toml::from_str::<Figures>(&figures.text()).unwrap(), figures);
    }

    #[test]
    fn the_committed_file_can_be_read() {
        let figures = Figures::read().unwrap();
        assert!(!figures.instructions_per_io.is_empty());
    }

    #[test]
    fn more_than_three_percent_above_fails_and_below_should_be_committed() {
        let verdict = |count| figures().judge("randwrite-4k-qd1", count).map(|(_, v)| v);
        assert_eq!(verdict(1029.0), Some(Verdict::Same));
        assert_eq!(verdict(1031.0), Some(Verdict::Worse));
        assert_eq!(verdict(971.0), Some(Verdict::Same));
        assert_eq!(verdict(969.0), Some(Verdict::Better));
        assert_eq!(figures().judge("another", 1.0), None);
    }

    #[test]
    fn figures_of_another_kernel_do_not_count() {
        let mut here = figures().made_with;
        assert_eq!(figures().differences(&here), Vec::<String>::new());
        here.insert("kernel".into(), "7.3.5".into());
        here.insert("fio".into(), "3.39".into());
        let differences = figures().differences(&here);
        assert_eq!(differences.len(), 2);
        let text = "the figures were made with kernel 7.3.4, here is 7.3.5";
        assert!(differences.iter().any(|line| line == text));
    }
}
