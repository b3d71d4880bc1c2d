// SPDX-License-Identifier: GPL-2.0

//! What is said while it happens.

use std::time::Instant;

/// Takes the time since the beginning.
pub(crate) struct Narrator {
    begin: Instant,
}

impl Narrator {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
        }
    }

    /// Begins a story.
    pub(crate) fn story(&self, name: &str, title: &str) {
        println!();
        self.say(&format!("{title} ({name})"));
    }

    /// Says what happens now.
    pub(crate) fn say(&self, text: &str) {
        println!("[{:6.1} s] {text}", self.begin.elapsed().as_secs_f64());
    }
}
