// SPDX-License-Identifier: GPL-2.0

//! What is wrong, and where.

use std::{
    fmt,
    path::Path,
    rc::Rc, //
};

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the file, as it was opened.
    pub file: Rc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1; 0: the whole file.
    pub column: usize,
}

impl Place {
    /// Not in any file.
    pub(crate) fn nowhere() -> Self {
        Self {
            file: Rc::from(""),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what was expected.
    pub what: String,
    /// The line of the file, if it is about one.
    pub(crate) line: Option<Rc<str>>,
}

impl Problem {
    /// A problem at a place.
    pub(crate) fn new(place: &Place, what: impl Into<String>) -> Self {
        Self {
            place: place.clone(),
            what: what.into(),
            line: None,
        }
    }

    /// A problem at a place, found by who uses the configuration.
    pub fn at(place: &Place, what: impl Into<String>) -> Self {
        Self::new(place, what)
    }

    /// A problem with a whole file.
    pub(crate) fn of_file(path: &Path, what: impl Into<String>) -> Self {
        let place = Place {
            file: path.to_string_lossy().into(),
            ..Place::nowhere()
        };
        Self::new(&place, what)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        let Some(line) = self.line.as_deref().filter(|line| line.len() <= LINE_MAX) else {
            return Ok(());
        };
        let before = line.chars().take(self.place.column.saturating_sub(1));
        let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        write!(f, "\n  | {line}\n  | {indent}^")
    }
}

/// Longer lines are not shown.
const LINE_MAX: usize = 300;
