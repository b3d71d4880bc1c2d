// SPDX-License-Identifier: GPL-2.0

//! Where the time of a take-over went, from the survivor's journal (`journalctl -o short-unix`).

use anyhow::{Context, Result};

/// Seconds of each part, in the order of their happening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parts {
    /// From the cut until the membership has changed.
    pub(crate) detect: f64,
    /// Until the other is known to be fenced.
    pub(crate) fence: f64,
    /// Until the promotion is ordered.
    pub(crate) decide: f64,
    /// Until the role has changed.
    pub(crate) promote: f64,
    /// Of these, the handler.
    pub(crate) handler: f64,
    /// Of these, from the handler's end to the changed role.
    pub(crate) role: f64,
    /// Until the file system is mounted.
    pub(crate) mount: f64,
    /// Until the first mail is accepted.
    pub(crate) services: f64,
}

/// What a survivor's journal has, by a text in the line.
const MEMBERSHIP: &str = "A new membership (";
const FENCED: &str = " was terminated (";
const ORDERED: &str = "Initiating promote operation ";
const HANDLER: &str = "helper command: /sbin/drbdadm fence-peer ";
const PRIMARY: &str = "role( Secondary -> Primary )";
const MOUNTED: &str = "EXT4-fs (drbd0): mounted filesystem";

/// A pattern for grep, of all lines that matter.
pub(crate) const LINES: &str = "A new membership (\\|was terminated (\\|Initiating promote \\|\
    helper command: \\|role( \\|EXT4-fs (drbd0): mounted\\|fence-peer helper";

/// Lines with their times.
pub(crate) struct Timeline {
    lines: Vec<(f64, String)>,
}

impl Timeline {
    /// Reads a journal whose clock is ahead by some seconds.
    pub(crate) fn read(journal: &str, ahead: f64) -> Self {
        let lines = journal.lines().filter_map(|line| {
            let (time, text) = line.split_once(' ')?;
            Some((time.parse::<f64>().ok()? - ahead, text.to_owned()))
        });
        Self {
            lines: lines.collect(),
        }
    }

    /// The first line after a moment that has a text.
    pub(crate) fn first(&self, text: &str, after: f64) -> Result<f64> {
        self.find(|line| line.contains(text), after)
            .with_context(|| format!("the journal has no '{text}' after the cut"))
    }

    fn find(&self, is_it: impl Fn(&str) -> bool, after: f64) -> Option<f64> {
        let mut lines = self.lines.iter();
        lines
            .find(|(at, line)| *at > after && is_it(line))
            .map(|(at, _)| *at)
    }

    /// When the node became Primary after a moment.
    pub(crate) fn primary(&self, after: f64) -> Result<f64> {
        self.first(PRIMARY, after)
    }

    /// Begin and end of the first call of the handler after a moment, and its exit code.
    pub(crate) fn handler(&self, after: f64) -> Option<(f64, f64, u8)> {
        let begin = self.find(
            |line| line.contains(HANDLER) && !line.contains("exit code"),
            after,
        )?;
        let (end, line) = self.lines.iter().find(|(at, line)| {
            *at > begin && line.contains(HANDLER) && line.contains("exit code")
        })?;
        let code = line.split_once("exit code ")?.1.split(' ').next()?;
        Some((begin, *end, code.parse().ok()?))
    }

    /// All parts of a take-over between a cut and the first mail.
    pub(crate) fn parts(&self, cut: f64, mail: f64) -> Result<Parts> {
        let member = self.first(MEMBERSHIP, cut)?;
        let fenced = self.first(FENCED, cut)?;
        let primary = self.primary(cut)?;
        // A transition may be aborted and begun again: the last order before the role counts.
        let ordered = self
            .lines
            .iter()
            .filter(|(at, line)| *at > cut && *at < primary && line.contains(ORDERED))
            .map(|(at, _)| *at)
            .next_back()
            .context("the journal has no order to promote")?;
        let mounted = self.first(MOUNTED, primary)?;
        let (begin, end, _) = self.handler(fenced).unwrap_or((primary, primary, 0));
        Ok(Parts {
            detect: member - cut,
            fence: fenced - member,
            decide: ordered - fenced,
            promote: primary - ordered,
            handler: end - begin,
            role: primary - end,
            mount: mounted - primary,
            services: mail - mounted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOURNAL: &str = include_str!("../guest/journal.txt");

    #[test]
    fn a_recorded_take_over_is_split_into_parts() {
        let parts = Timeline::read(JOURNAL, 0.0)
            .parts(1795888115.2, 1795888180.0)
            .unwrap();
        let near = |is: f64, should: f64| assert!((is - should).abs() < 0.1, "{is} {should}");
        near(parts.detect, 5.7);
        near(parts.fence, 28.9);
        near(parts.decide, 5.0);
        near(parts.promote, 1.5);
        near(parts.handler, 0.5);
        near(parts.role, 0.0);
        near(parts.mount, 7.6);
        near(parts.services, 16.1);
    }

    #[test]
    fn the_clock_of_the_machine_is_set_right() {
        let late = Timeline::read(JOURNAL, 100.0);
        assert!(late.primary(1795888056.0).is_ok());
        assert!(late.primary(1795888057.0).is_err());
    }

    #[test]
    fn the_handler_has_its_exit_code() {
        let timeline = Timeline::read(JOURNAL, 0.0);
        let (begin, end, code) = timeline.handler(0.0).unwrap();
        assert_eq!(code, 7);
        assert!(end > begin);
    }
}
