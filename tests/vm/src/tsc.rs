// SPDX-License-Identifier: GPL-2.0

//! How fast this machine's time stamp counter runs.
//!
//! An emulated guest reads the host's counter, and finds out its rate by watching emulated timers.
//! On a busy host it gets that wrong, by as much as ten times, and then all its timeouts are wrong
//! too. So it is told.

use std::{
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

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
    let (begin, first) = moment()?;
    thread::sleep(SPAN);
    let (end, last) = moment()?;
    let nanoseconds = u64::try_from(end.duration_since(begin).as_nanos()).ok()?;
    let ticks = last.checked_sub(first)?;
    ticks.checked_mul(1_000_000)?.checked_div(nanoseconds)
}

/// Both clocks at one moment. A reading that was interrupted is thrown away.
fn moment() -> Option<(Instant, u64)> {
    loop {
        let before = Instant::now();
        let ticks = ticks()?;
        if before.elapsed() < MOMENT {
            return Some((before, ticks));
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn ticks() -> Option<u64> {
    // SAFETY: Every processor of this architecture has the instruction, and Linux lets all use it.
    Some(unsafe { std::arch::x86_64::_rdtsc() })
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn two_measurements_agree() {
        let (a, b) = (measure().unwrap(), measure().unwrap());
        assert!(a.abs_diff(b) * 100 < a, "{a} and {b} kHz");
    }
}
