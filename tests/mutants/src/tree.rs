// SPDX-License-Identifier: GPL-2.0

//! A copy of the sources that may be spoilt.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, Context, Result};

/// The copy, in `target/mutants/tree`.
#[derive(Debug)]
pub(crate) struct Tree {
    repository: PathBuf,
    copy: PathBuf,
    /// The files, from the repository's root: what git knows or would take.
    files: Vec<PathBuf>,
}

impl Tree {
    /// Names the files; copies nothing yet.
    pub(crate) fn new(repository: &Path) -> Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others"])
            .args(["--exclude-standard", "--deduplicate"])
            .args(["--", "module", "tests", "userspace"])
            .current_dir(repository)
            .output()
            .context("cannot run git")?;
        if !output.status.success() {
            bail!("git does not list the files");
        }
        let names = String::from_utf8(output.stdout)?;
        Ok(Self {
            repository: repository.to_owned(),
            copy: repository.join("target/mutants/tree"),
            files: names
                .split_terminator('\0')
                .map(PathBuf::from)
                .filter(|file| repository.join(file).is_file())
                .collect(),
        })
    }

    /// Where the copy is.
    pub(crate) fn path(&self) -> &Path {
        &self.copy
    }

    /// Where it is built.
    pub(crate) fn build_folder(&self) -> PathBuf {
        self.repository.join("target/mutants/build")
    }

    /// Makes the copy equal to the sources. Files that are equal are left alone, so that they are
    /// not built again.
    pub(crate) fn restore(&self) -> Result<()> {
        for file in &self.files {
            let (from, to) = (self.repository.join(file), self.copy.join(file));
            let content = fs::read(&from).with_context(|| from.display().to_string())?;
            if fs::read(&to).is_ok_and(|present| present == content) {
                continue;
            }
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&to, content).with_context(|| to.display().to_string())?;
        }
        Ok(())
    }

    /// Applies a patch to the copy.
    pub(crate) fn apply(&self, patch: &Path) -> Result<()> {
        apply(&self.copy, patch, &[])
    }
}

/// Whether a patch could be applied to the sources in `root`.
#[cfg(test)]
pub(crate) fn check(root: &Path, patch: &Path) -> Result<()> {
    apply(root, patch, &["--check"])
}

fn apply(root: &Path, patch: &Path, options: &[&str]) -> Result<()> {
    let output = Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .args(options)
        .arg(patch)
        .current_dir(root)
        // The copy lies in a checkout: without this git would look for the files there.
        .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root))
        .output()
        .context("cannot run git")?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let patch = patch.display();
        bail!("{patch} does not apply any more: {}", why.trim());
    }
    Ok(())
}
