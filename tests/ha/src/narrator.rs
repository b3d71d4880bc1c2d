// SPDX-License-Identifier: GPL-2.0

//! What is said while it happens.

use std::time::Instant;

/// Takes the time since the beginning.
pub(crate) struct Narrator {
    begin: Instant,
    stories: u8,
}

impl Narrator {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            stories: 0,
        }
    }

    /// Begins a story.
    pub(crate) fn story(&mut self, title: &str) {
        let letter = char::from(b'a' + self.stories % 26);
        self.stories += 1;
        println!();
        self.say(&format!("({letter}) {title}"));
    }

    /// Says what happens now.
    pub(crate) fn say(&self, text: &str) {
        println!("[{:6.1} s] {text}", self.begin.elapsed().as_secs_f64());
    }
}
