// SPDX-License-Identifier: GPL-2.0

//! What the demo says, with times.

use std::{
    io::{self, IsTerminal, Write},
    time::Instant,
};

use crate::progress::Progress;

/// Numbers chapters and takes their time.
pub(crate) struct Narrator {
    begin: Instant,
    chapter: Instant,
    number: u32,
    terminal: bool,
    percent: Option<u32>,
}

impl Narrator {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            chapter: Instant::now(),
            number: 0,
            terminal: io::stdout().is_terminal(),
            percent: None,
        }
    }

    /// Begins a chapter.
    pub(crate) fn chapter(&mut self, text: &str) {
        self.number += 1;
        self.chapter = Instant::now();
        self.percent = None;
        println!(
            "[{:5.1} s] {:2}. {text}",
            self.begin.elapsed().as_secs_f64(),
            self.number
        );
    }

    /// Says what the chapter came to.
    pub(crate) fn done(&mut self, text: &str) {
        self.clear();
        println!(
            "              {text} ({:.1} s)",
            self.chapter.elapsed().as_secs_f64()
        );
    }

    /// Shows how far a resync is: over itself on a terminal, in a few lines elsewhere.
    pub(crate) fn progress(&mut self, progress: &Progress) {
        let Progress { percent, pace } = progress;
        let full = (percent / 4).min(25) as usize;
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(25 - full));
        if self.terminal {
            print!("\r\x1b[K              [{bar}] {percent:3} %  {pace}");
            // Only for show.
            let _ = io::stdout().flush();
        } else if self.percent.is_none_or(|last| *percent >= last + 25) {
            println!("              [{bar}] {percent:3} %  {pace}");
        } else {
            return;
        }
        self.percent = Some(*percent);
    }

    /// The last words before the verdict.
    pub(crate) fn end(&self) {
        println!(
            "[{:5.1} s] The end: a machine was lost, and no durable file.",
            self.begin.elapsed().as_secs_f64()
        );
    }

    fn clear(&self) {
        if self.terminal && self.percent.is_some() {
            print!("\r\x1b[K");
        }
    }
}
