// SPDX-License-Identifier: GPL-2.0

//! Counting results and telling them.

/// Results of everything that ran.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: u32,
    failed: u32,
    skipped: u32,
    failures: Vec<String>,
}

impl Report {
    /// Adds counts of a program that judged by itself.
    pub(crate) fn add(&mut self, passed: u32, failed: u32, skipped: u32) {
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
    }

    /// Adds one success.
    pub(crate) fn pass(&mut self, name: &str, seconds: f64) {
        self.passed += 1;
        println!("ok    {name} ({seconds:.1} s)");
    }

    /// Adds one failure.
    pub(crate) fn fail(&mut self, name: &str, why: &str) {
        self.failed += 1;
        self.failures.push(name.to_owned());
        println!("FAIL  {name}\n{}", indent(why));
    }

    /// Failures until now.
    pub(crate) fn failed(&self) -> u32 {
        self.failed
    }

    /// Prints the closing lines; true if all is well.
    pub(crate) fn close(&self) -> bool {
        for name in &self.failures {
            println!("failed: {name}");
        }
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        );
        self.failed == 0
    }
}

fn indent(text: &str) -> String {
    let lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| format!("      {line}"))
        .collect();
    lines.join("\n")
}
