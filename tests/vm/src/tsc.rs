// SPDX-License-Identifier: GPL-2.0

//! How fast this machine's time stamp counter runs.
//!
//! An emulated guest reads the host's counter, and finds out its rate by watching emulated timers.
//! On a busy host it gets that wrong, by as much as ten times, and then all its timeouts are wrong
//! too. So it is told.

use std::{
    fs,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use quanta::Clock;

/// What a processor has where [`Clock::raw`] reads its counter.
const NEEDED: [&str; 2] = ["nonstop_tsc", "rdtscp"];

/// How long is measured.
const SPAN: Duration = Duration::from_millis(50);

/// Two readings of the clocks that are so close count as one moment.
const MOMENT: Duration = Duration::from_micros(5);

/// Thousands of ticks each second; `None` where there is no such counter.
pub(crate) fn khz() -> Option<u64> {
    static KHZ: OnceLock<Option<u64>> = OnceLock::new();
    *KHZ.get_or_init(measure)
}

fn measure() -> Option<u64> {
    let flags = fs::read_to_string("/proc/cpuinfo").ok()?;
    let has = |needed: &str| flags.split_whitespace().any(|flag| flag == needed);
    if !NEEDED.into_iter().all(has) {
        return None;
    }
    let clock = Clock::new();
    let (begin, first) = moment(&clock);
    thread::sleep(SPAN);
    let (end, last) = moment(&clock);
    let nanoseconds = u64::try_from(end.duration_since(begin).as_nanos()).ok()?;
    let ticks = last.checked_sub(first)?;
    ticks.checked_mul(1_000_000)?.checked_div(nanoseconds)
}

/// Both clocks at one moment. A reading that was interrupted is thrown away.
fn moment(clock: &Clock) -> (Instant, u64) {
    loop {
        let before = Instant::now();
        let ticks = clock.raw();
        if before.elapsed() < MOMENT {
            return (before, ticks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_measurements_agree() {
        match (measure(), measure()) {
            (Some(a), Some(b)) => assert!(a.abs_diff(b) * 100 < a, "{a} and {b} kHz"),
            (a, b) => assert_eq!((a, b), (None, None)),
        }
    }
}
