// SPDX-License-Identifier: GPL-2.0

//! Where the text of files comes from.

use std::{
    io,
    path::{
        Path,
        PathBuf, //
    }, //
};

/// Files that a configuration is made of.
pub trait Source {
    /// Reads a file. What is no UTF-8 in it is replaced: it can only be in comments and text.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn read(&mut self, path: &Path) -> io::Result<String>;

    /// The files that a pattern (`*`, `?`, `[...]`) names, sorted; one without these characters
    /// names itself if it is there.
    fn matching(&mut self, pattern: &Path) -> Vec<PathBuf>;

    /// One name for all names of a file, so that no file is read twice.
    fn identity(&mut self, path: &Path) -> PathBuf;
}

/// The files of this machine.
pub struct Files;

impl Source for Files {
    fn read(&mut self, path: &Path) -> io::Result<String> {
        let bytes = match path.to_str() {
            Some("-") => io::read_to_string(io::stdin())?.into_bytes(),
            _ => std::fs::read(path)?,
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn matching(&mut self, pattern: &Path) -> Vec<PathBuf> {
        let Some(pattern) = pattern.to_str() else {
            return Vec::new();
        };
        // As in a shell, names that begin with a dot are only found by a pattern that does, too.
        let options = glob::MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..glob::MatchOptions::new()
        };
        let found = glob::glob_with(pattern, options);
        found.map_or_else(
            |_| Vec::new(),
            |paths| paths.filter_map(Result::ok).collect(),
        )
    }

    fn identity(&mut self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }
}
