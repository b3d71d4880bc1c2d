// SPDX-License-Identifier: GPL-2.0

//! Why a recording could not be fed, or what differs.

use std::{collections::VecDeque, fmt};

use tandem_engine::engine::trace::TapeError;

/// The first thing that is wrong, and what led to it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which frame, from 0.
    pub frame: usize,
    what: String,
    value: String,
    story: Vec<String>,
}

impl std::error::Error for Failure {}

impl Failure {
    pub(crate) fn new(frame: usize, what: impl Into<String>) -> Self {
        Self {
            frame,
            what: what.into(),
            value: String::new(),
            story: Vec::new(),
        }
    }

    pub(crate) fn of_tape(frame: usize, error: TapeError) -> Self {
        let what = match error {
            TapeError::Foreign => "it is no recording, or of another version".into(),
            TapeError::Gap(lost) => {
                format!("{lost} frames are missing: record again on a longer tape")
            }
            TapeError::Torn(at) => format!("it ends within a frame, at byte {at}"),
        };
        Self::new(frame, what)
    }

    /// Adds the value's name and the last lines of its story.
    pub(crate) fn with(mut self, value: &str, story: &VecDeque<String>) -> Self {
        self.value = value.into();
        self.story = story.iter().cloned().collect();
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {}", self.frame)?;
        if !self.value.is_empty() {
            write!(f, ", {}", self.value)?;
        }
        write!(f, ": {}", self.what)?;
        if !self.story.is_empty() {
            write!(f, "\nwhat happened to it before, and last:")?;
        }
        for line in &self.story {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}
