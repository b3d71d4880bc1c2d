// SPDX-License-Identifier: GPL-2.0

//! The files that are looked at.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::tokens::{self, Token};

/// Ends of the names of files that programs write and people do not read.
const GENERATED: &[&str] = &["Cargo.lock", "LICENSE", ".patch"];

/// What fuzzing found.
const CORPUS: &str = "tests/fuzz/corpus/";

/// One text file.
#[derive(Debug)]
pub struct File {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// Its contents.
    pub text: String,
    /// Its tokens, if it is Rust; else none.
    pub tokens: Vec<Token>,
}

impl File {
    fn new(path: &str, text: String) -> Result<Self> {
        let tokens = if path.ends_with(".rs") {
            tokens::of(&text).with_context(|| format!("{path} is not Rust"))?
        } else {
            Vec::new()
        };
        Ok(Self {
            path: path.to_owned(),
            text,
            tokens,
        })
    }

    /// Last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The path without its last part.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// What stands after the last dot of the name.
    pub fn extension(&self) -> Option<&str> {
        self.name().rsplit_once('.').map(|(_, extension)| extension)
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.extension() == Some("rs")
    }

    /// Whether it is a shell script.
    pub fn is_script(&self) -> bool {
        self.extension() == Some("sh") || self.text.starts_with("#!")
    }

    /// Whether the whole file is tests, by its name.
    pub fn is_test(&self) -> bool {
        let name = self.name();
        name == "tests.rs" || name.ends_with("_tests.rs") || self.folder().ends_with("/tests")
    }

    /// Whether it lies in `folder` or below.
    pub fn is_in(&self, folder: &str) -> bool {
        let rest = self.path.strip_prefix(folder);
        rest.is_some_and(|rest| rest.starts_with('/'))
    }

    /// Its lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// All files, in order of their paths.
#[derive(Debug)]
pub struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// The root of this repository.
    pub fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// Reads all text files below `root` that git would not ignore.
    ///
    /// # Errors
    /// A file that can't be read, or Rust that can't be split into tokens.
    pub fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let walk = ignore::WalkBuilder::new(root)
            .hidden(false)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for entry in walk {
            let entry = entry?;
            let path = entry.path();
            let Some(relative) = path.strip_prefix(root)?.to_str() else {
                continue;
            };
            let generated =
                GENERATED.iter().any(|end| relative.ends_with(end)) || relative.starts_with(CORPUS);
            if !entry.file_type().is_some_and(|t| t.is_file()) || generated {
                continue;
            }
            let bytes = fs::read(path).with_context(|| format!("cannot read {relative}"))?;
            // What is not text is data.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(File::new(relative, text)?);
            }
        }
        Ok(Self::from_files(files))
    }

    /// A tree out of paths and texts, for tests of rules.
    ///
    /// # Errors
    /// Rust that can't be split into tokens.
    pub fn of(files: &[(&str, &str)]) -> Result<Self> {
        let files = files
            .iter()
            .map(|(path, text)| File::new(path, (*text).to_owned()));
        Ok(Self::from_files(files.collect::<Result<_>>()?))
    }

    fn from_files(files: Vec<File>) -> Self {
        let files = files.into_iter().map(|file| (file.path.clone(), file));
        Self {
            files: files.collect(),
        }
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.is_rust())
    }

    /// One file.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }
}
