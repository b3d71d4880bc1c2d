// SPDX-License-Identifier: GPL-2.0

//! What a rule does not like.

use std::fmt;

/// One thing that is against a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Name of the rule.
    pub rule: &'static str,
    /// The file, from the root of the repository.
    pub path: String,
    /// Line in the file, from 1; 0 for the whole file.
    pub line: usize,
    /// Name of the function, where the rule is about single functions.
    pub item: Option<String>,
    /// How bad it is: a length in lines, or 1. The ratchet limits the sum for a file or function.
    pub measure: usize,
    /// What is wrong, in words.
    pub text: String,
}

impl Finding {
    /// One fault in a line of a file.
    pub fn new(rule: &'static str, path: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            rule,
            path: path.to_owned(),
            line,
            item: None,
            measure: 1,
            text: text.into(),
        }
    }

    /// The same fault, with its size.
    #[must_use]
    pub fn measuring(mut self, measure: usize) -> Self {
        self.measure = measure;
        self
    }

    /// The same fault, of one function.
    #[must_use]
    pub fn of_item(mut self, name: &str) -> Self {
        self.item = Some(name.to_owned());
        self
    }

    /// What the ratchet counts together: the file, or one function in it.
    pub fn key(&self) -> String {
        match &self.item {
            Some(item) => format!("{}:{item}", self.path),
            None => self.path.clone(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}: {}",
            self.path, self.line, self.rule, self.text
        )
    }
}
