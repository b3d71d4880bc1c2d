// SPDX-License-Identifier: GPL-2.0

//! The seeds that ever failed, from the files in `seeds/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::plan::Plan;

/// A plan that once failed, and where it is written.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The plan.
    pub plan: Plan,
    /// File and line.
    pub place: String,
}

/// Where the files are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

/// Reads all files: a plan in each line, `#` begins a comment. What cannot be read is an error.
pub fn read() -> io::Result<Vec<Kept>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let mut kept = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            let place = format!("{name}:{}", number + 1);
            let bad = |e| io::Error::other(format!("{place}: {line}: {e}"));
            let plan = line.parse().map_err(bad)?;
            kept.push(Kept { plan, place });
        }
    }
    Ok(kept)
}
