// SPDX-License-Identifier: GPL-2.0

//! Counting results and telling them.

/// Results of everything that ran.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: u32,
    failed: u32,
    skipped: u32,
    /// Name and reason.
    failures: Vec<(String, String)>,
}

/// Lines of a long reason that are told again at the end: its first and its last ones.
const ENDS: usize = 4;

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
        self.failures.push((name.to_owned(), why.to_owned()));
        println!("FAIL  {name}\n{}", indent(why));
    }

    /// Failures until now.
    pub(crate) fn failed(&self) -> u32 {
        self.failed
    }

    /// Prints the closing lines, with failures in short: what is above may be far away by then.
    /// True if all is well.
    pub(crate) fn close(&self) -> bool {
        for (name, why) in &self.failures {
            println!("failed: {name}\n{}", indent(&short(why)));
        }
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        );
        self.failed == 0
    }
}

/// The first and the last lines.
fn short(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    match lines.len() {
        count if count <= 2 * ENDS => lines.join("\n"),
        count => {
            let (first, last) = (&lines[..ENDS], &lines[count - ENDS..]);
            [first, &["..."], last].concat().join("\n")
        }
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

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_long_reason_keeps_its_ends() {
        assert_eq!(short("a\nb\n"), "a\nb");
        let long: Vec<_> = (0..30).map(|number| number.to_string()).collect();
        assert_eq!(short(&long.join("\n")), "0\n1\n2\n3\n...\n26\n27\n28\n29");
    }
}
