// SPDX-License-Identifier: GPL-2.0

//! The client: sends numbered mails without pause, knows which were accepted, reads the mailbox.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use vm::Node;

use crate::clock;

/// A mail that the server accepted: when (in seconds of the host's clock), and its number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) at: f64,
    pub(crate) number: u64,
}

/// The time between two accepted mails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gap {
    pub(crate) begin: f64,
    pub(crate) end: f64,
}

impl Gap {
    /// In seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.end - self.begin
    }

    /// The longest that ends after a moment.
    pub(crate) fn longest(accepted: &[Accepted], after: f64) -> Option<Self> {
        let pairs = accepted.windows(2).filter(|pair| pair[1].at > after);
        pairs
            .map(|pair| Self {
                begin: pair[0].at,
                end: pair[1].at,
            })
            .max_by(|one, other| one.seconds().total_cmp(&other.seconds()))
    }
}

/// The machine that sends and reads.
pub(crate) struct Client<'a> {
    node: &'a Node,
    run: String,
    ahead: f64,
    /// How often each number was found in the mailbox.
    stored: BTreeMap<u64, u32>,
    next_uid: u64,
}

impl<'a> Client<'a> {
    pub(crate) fn new(node: &'a Node, run: &str) -> Result<Self> {
        Ok(Self {
            node,
            run: run.into(),
            ahead: clock::ahead(node)?,
            stored: BTreeMap::new(),
            next_uid: 1,
        })
    }

    /// Begins to send.
    pub(crate) fn start(&self) -> Result<()> {
        self.node
            .ok(&format!(
                "[ ! -e /tmp/send.pid ] || kill -9 $(cat /tmp/send.pid); : >/tmp/accepted; \
                 setsid python3 /srv/setup/send.py {} \
                 >/tmp/send.log 2>&1 </dev/null &",
                self.run
            ))
            .map(drop)
    }

    /// Stops in the middle of whatever it is doing.
    pub(crate) fn pause(&self) -> Result<()> {
        self.node.ok("kill -STOP $(cat /tmp/send.pid)").map(drop)
    }

    /// Goes on sending.
    pub(crate) fn resume(&self) -> Result<()> {
        self.node.ok("kill -CONT $(cat /tmp/send.pid)").map(drop)
    }

    /// All that was accepted so far.
    pub(crate) fn accepted(&self) -> Result<Vec<Accepted>> {
        let text = self.node.ok("cat /tmp/accepted")?;
        Ok(text.lines().filter_map(|line| self.line(line)).collect())
    }

    fn line(&self, line: &str) -> Option<Accepted> {
        let (milliseconds, number) = line.split_once(' ')?;
        let there: f64 = milliseconds.parse().ok()?;
        Some(Accepted {
            at: there / 1000.0 - self.ahead,
            number: number.parse().ok()?,
        })
    }

    /// Waits until a mail is accepted after a moment, and returns it.
    pub(crate) fn await_accepted(&self, after: f64, limit: Duration) -> Result<Accepted> {
        let deadline = Instant::now() + limit.mul_f64(vm::time_scale());
        loop {
            let last = self.node.ok("tail -n 1 /tmp/accepted")?;
            if let Some(accepted) = self.line(&last).filter(|mail| mail.at > after) {
                return Ok(accepted);
            }
            if Instant::now() > deadline {
                let log = self.node.ok("tail -n 3 /tmp/send.log")?;
                bail!("no mail was accepted for {limit:?}; the client says:\n{log}");
            }
            thread::sleep(Duration::from_secs(1));
        }
    }

    /// Lets the next reading begin from the first mail.
    pub(crate) fn forget_what_was_read(&mut self) {
        self.stored.clear();
        self.next_uid = 1;
    }

    /// Reads what is new in the mailbox, and returns how often each number is there.
    pub(crate) fn read(&mut self) -> Result<&BTreeMap<u64, u32>> {
        let listed = self.node.ok_within(
            &format!("python3 /srv/setup/read.py {}", self.next_uid),
            Duration::from_secs(240),
        )?;
        for line in listed.lines() {
            let (uid, subject) = line
                .split_once(' ')
                .with_context(|| format!("the mailbox has a strange line: {line}"))?;
            self.next_uid = self.next_uid.max(uid.parse::<u64>()? + 1);
            if let Some(number) = number_in(subject, &self.run) {
                *self.stored.entry(number).or_default() += 1;
            }
        }
        Ok(&self.stored)
    }
}

/// The number in a subject of this run.
fn number_in(subject: &str, run: &str) -> Option<u64> {
    let (of, number) = subject.rsplit_once('-')?;
    (of == run).then(|| number.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_after_a_moment_is_found() {
        let at = [1.0, 2.0, 9.0, 10.0, 13.0, 13.5];
        let accepted: Vec<_> = (1..)
            .zip(at)
            .map(|(number, at)| Accepted { at, number })
            .collect();
        let longest = Gap::longest(&accepted, 9.5).unwrap();
        assert_eq!((longest.begin, longest.end), (10.0, 13.0));
        assert_eq!(Gap::longest(&accepted, 8.0).unwrap().seconds(), 7.0);
        assert_eq!(Gap::longest(&accepted, 14.0), None);
    }

    #[test]
    fn mails_of_other_runs_do_not_count() {
        assert_eq!(number_in("ha-7-12", "ha-7"), Some(12));
        assert_eq!(number_in("ha-8-12", "ha-7"), None);
        assert_eq!(number_in("hello", "ha-7"), None);
    }
}
