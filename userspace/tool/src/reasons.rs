// SPDX-License-Identifier: GPL-2.0

//! Why things are as they are: what the module tells in debugfs, beside what DRBD's netlink family
//! has a place for. Other drivers, and machines without debugfs, tell nothing.

use std::fs;

/// Where the module tells it; the form of a line is described in `module/reasons.rs`.
const FILE: &str = "/sys/kernel/debug/tandem/reasons";

/// Why something is as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The name of the resource.
    resource: String,
    /// What it is about, such as `connection`: why that ended the last time.
    pub(crate) subject: String,
    /// Seconds since.
    pub(crate) seconds: u64,
    /// For people.
    pub(crate) text: String,
}

impl Reason {
    /// Why the connection of some resource ended.
    #[cfg(test)]
    pub(crate) fn of_connection(text: &str, seconds: u64) -> Self {
        Self {
            resource: "r0".into(),
            subject: "connection".into(),
            seconds,
            text: text.into(),
        }
    }

    /// Reads one line; `None` if it has another form.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(4, ' ');
        Some(Self {
            resource: fields.next()?.to_owned(),
            subject: fields.next()?.to_owned(),
            seconds: fields.next()?.parse().ok()?,
            text: fields.next()?.to_owned(),
        })
    }
}

/// What is told now; nothing where it cannot be read.
pub(crate) fn read() -> Vec<Reason> {
    let text = fs::read_to_string(FILE).unwrap_or_default();
    text.lines().filter_map(Reason::parse).collect()
}

/// Those of one resource.
pub(crate) fn of(all: &[Reason], resource: &str) -> Vec<Reason> {
    let own = all.iter().filter(|reason| reason.resource == resource);
    own.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_line_goes_to_its_end() {
        let line = "r0 connection 35 Split-Brain: this node (Primary), peer (Secondary)";
        let reason = Reason::parse(line).unwrap();
        assert_eq!((&*reason.subject, reason.seconds), ("connection", 35));
        assert_eq!(
            reason.text,
            "Split-Brain: this node (Primary), peer (Secondary)"
        );
        let reasons = [reason];
        assert_eq!(of(&reasons, "r0"), reasons);
        assert_eq!(of(&reasons, "r1"), []);
    }

    #[test]
    fn lines_of_another_form_are_left_out() {
        for line in ["", "r0", "r0 connection", "r0 connection soon why"] {
            assert_eq!(Reason::parse(line), None, "{line}");
        }
    }
}
