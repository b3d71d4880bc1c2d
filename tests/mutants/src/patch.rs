// SPDX-License-Identifier: GPL-2.0

//! The faults, as patches with a header of words.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

/// One fault.
#[derive(Debug)]
pub(crate) struct Patch {
    /// Its name: the file's.
    pub(crate) name: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// The header's first line: which promise it breaks.
    pub(crate) breaks: String,
    /// The first seed of those that can find it, if they are not the usual ones.
    pub(crate) start: Option<u64>,
    /// Its header says "Stories first.": no seed is known to find it.
    pub(crate) stories_first: bool,
}

/// Reads the headers of all patches of a folder, in the order of their names.
pub(crate) fn read_all(folder: &Path) -> Result<Vec<Patch>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|e| e == "patch"));
    files.sort();
    files.into_iter().map(read).collect()
}

fn read(file: PathBuf) -> Result<Patch> {
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let breaks = text.lines().next().unwrap_or_default();
    if !breaks.starts_with("Breaks promise ") {
        bail!("{}: its first line names no promise", file.display());
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Patch {
        name: name.into_owned(),
        breaks: breaks.to_owned(),
        start: text.lines().find_map(start_of),
        stories_first: text.lines().any(|line| line == "Stories first."),
        file,
    })
}

/// The seed that a line "Seeds from 2^45." names, or "Seeds from 2^45 + 20000.".
fn start_of(line: &str) -> Option<u64> {
    let text = line.strip_prefix("Seeds from 2^")?.strip_suffix('.')?;
    let (power, more) = text.split_once(" + ").unwrap_or((text, "0"));
    let start = 1u64.checked_shl(power.parse().ok()?)?;
    start.checked_add(more.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::start_of;

    #[test]
    fn a_line_may_name_other_seeds() {
        assert_eq!(start_of("Seeds from 2^45."), Some(35_184_372_088_832));
        assert_eq!(start_of("Seeds from 2^3 + 20."), Some(28));
        assert_eq!(start_of("Seeds from 2^64."), None);
        assert_eq!(start_of("--- a/module"), None);
    }
}
