// SPDX-License-Identifier: GPL-2.0

//! The three timeouts of the commands that wait, and which of them holds.

use crate::cli::setup::Wait;
use std::time::Duration;
use tandem_engine::control::TimeoutType;

/// Timeouts in seconds; 0: without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    normal: u32,
    degraded: u32,
    outdated: u32,
}

impl Timeouts {
    /// Takes the timeouts as typed, shortens those that are longer than the one before, as
    /// `drbdsetup` does, and says so through `note`.
    pub(crate) fn new(wait: &Wait, mut note: impl FnMut(String)) -> Self {
        let normal = wait.wfc_timeout;
        let mut limit = |name, value: u32, limit_name, limit: u32| {
            let longer = limit != 0 && (value > limit || value == 0);
            if longer {
                note(format!(
                    "{name} has to be shorter than {limit_name}; taken as {limit} s"
                ));
                return limit;
            }
            value
        };
        let degraded = match wait.degr_wfc_timeout {
            Some(value) => limit("degr-wfc-timeout", value, "wfc-timeout", normal),
            None => normal,
        };
        let outdated = match wait.outdated_wfc_timeout {
            Some(value) => limit("outdated-wfc-timeout", value, "degr-wfc-timeout", degraded),
            None => degraded,
        };
        Self {
            normal,
            degraded,
            outdated,
        }
    }

    /// The timeout that holds; `None`: without end.
    pub(crate) fn pick(self, kind: TimeoutType) -> Option<Duration> {
        let seconds = match kind {
            TimeoutType::Default => self.normal,
            TimeoutType::Degraded => self.degraded,
            TimeoutType::PeerOutdated => self.outdated,
        };
        (seconds != 0).then(|| Duration::from_secs(u64::from(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::setup::Minor;

    fn timeouts(normal: u32, degraded: Option<u32>, outdated: Option<u32>) -> (Timeouts, usize) {
        let mut notes = 0;
        let wait = Wait {
            minor: Minor { minor: 0 },
            wfc_timeout: normal,
            degr_wfc_timeout: degraded,
            outdated_wfc_timeout: outdated,
            wait_after_sb: None,
        };
        let timeouts = Timeouts::new(&wait, |_| notes += 1);
        (timeouts, notes)
    }

    #[test]
    fn no_timeout_waits_without_end() {
        let (timeouts, notes) = timeouts(0, None, None);
        assert_eq!(timeouts.pick(TimeoutType::Default), None);
        assert_eq!(notes, 0);
    }

    #[test]
    fn a_longer_timeout_is_shortened_and_noted() {
        let (timeouts, notes) = timeouts(10, Some(20), Some(0));
        assert_eq!(
            timeouts.pick(TimeoutType::Degraded),
            Some(Duration::from_secs(10))
        );
        assert_eq!(
            timeouts.pick(TimeoutType::PeerOutdated),
            Some(Duration::from_secs(10))
        );
        assert_eq!(notes, 2);
    }

    #[test]
    fn the_degraded_timeout_may_be_finite_where_the_normal_is_not() {
        let (timeouts, notes) = timeouts(0, Some(5), None);
        assert_eq!(timeouts.pick(TimeoutType::Default), None);
        assert_eq!(
            timeouts.pick(TimeoutType::PeerOutdated),
            Some(Duration::from_secs(5))
        );
        assert_eq!(notes, 0);
    }
}
