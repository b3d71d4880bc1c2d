// SPDX-License-Identifier: GPL-2.0

//! Progress of a resync, and how it is shown while someone waits for it.

use indicatif::{
    ProgressBar,
    ProgressDrawTarget,
    ProgressStyle, //
};
use std::{
    collections::VecDeque,
    io::IsTerminal,
    time::{
        Duration,
        Instant, //
    }, //
};
use tandem_engine::control::StateInfo;

/// Bytes that one bit of the bitmap stands for.
const BYTES_PER_BIT: u64 = 4096;
/// Over how much time the rate is measured.
const WINDOW: Duration = Duration::from_secs(5);

/// How much of a resync is done, in tenths of a percent; `None` when none runs.
pub(crate) fn per_mille_done(info: &StateInfo) -> Option<u64> {
    let total = info.bits_rs_total.filter(|total| *total != 0)?;
    let left = bits_left(info)?.min(total);
    (total - left).checked_mul(1000)?.checked_div(total)
}

/// Bits of a resync that are left; `None` when none runs.
fn bits_left(info: &StateInfo) -> Option<u64> {
    info.bits_rs_total?;
    let failed = info.bits_rs_failed.unwrap_or(0);
    Some(info.bits_oos?.saturating_sub(failed))
}

/// Rate over the last seconds.
#[derive(Debug, Default)]
struct Rate {
    seen: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Notes how many bits were left at `now`, and returns bits per second since the oldest note.
    fn note(&mut self, now: Instant, left: u64) -> Option<u64> {
        self.seen.push_back((now, left));
        while self.seen.len() > 2
            && self
                .seen
                .get(1)
                .is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW)
        {
            self.seen.pop_front();
        }
        let (then, before) = *self.seen.front()?;
        let millis = u64::try_from(now.saturating_duration_since(then).as_millis()).ok()?;
        before
            .checked_sub(left)?
            .checked_mul(1000)?
            .checked_div(millis)
    }
}

/// A line on the terminal that says how the wait goes; nothing when nobody looks.
pub(crate) struct Progress {
    bar: ProgressBar,
    rate: Rate,
}

impl Progress {
    /// Starts to show progress if standard error is a terminal.
    pub(crate) fn on_terminal() -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(1000), target);
        Self {
            bar,
            rate: Rate::default(),
        }
    }

    /// Whether anybody looks; otherwise the kernel need not be asked.
    pub(crate) fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Shows how far a resync is, or `waiting_for` when none runs.
    pub(crate) fn show(&mut self, waiting_for: &str, info: &StateInfo) {
        match (per_mille_done(info), bits_left(info)) {
            (Some(done), Some(left)) => {
                let rate = self.rate.note(Instant::now(), left);
                self.bar.set_style(style("{wide_bar} {msg}"));
                self.bar.set_position(done);
                self.bar.set_message(sync_text(done, left, rate));
            }
            _ => {
                self.rate = Rate::default();
                self.bar.set_style(style("{spinner} {msg}"));
                self.bar.set_message(waiting_for.to_owned());
                self.bar.tick();
            }
        }
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// The templates are constants of this file, and a test makes them all.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn sync_text(done: u64, left: u64, rate: Option<u64>) -> String {
    let mib_left = left.saturating_mul(BYTES_PER_BIT) >> 20;
    let mut text = format!("{}.{}%, {mib_left} MiB left", done / 10, done % 10);
    if let Some(rate) = rate.filter(|rate| *rate != 0) {
        let tenths = rate.saturating_mul(BYTES_PER_BIT * 10) >> 20;
        let seconds = left / rate;
        text += &format!(
            ", {}.{} MiB/s, {}:{:02}:{:02} to go",
            tenths / 10,
            tenths % 10,
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(total: u64, oos: u64, failed: u64) -> StateInfo {
        StateInfo {
            bits_rs_total: Some(total),
            bits_rs_failed: Some(failed),
            bits_oos: Some(oos),
            ..StateInfo::default()
        }
    }

    #[test]
    fn done_counts_failed_bits_as_done() {
        assert_eq!(per_mille_done(&info(1000, 250, 0)), Some(750));
        assert_eq!(per_mille_done(&info(1000, 250, 250)), Some(1000));
        assert_eq!(per_mille_done(&info(1000, 2000, 0)), Some(0));
        assert_eq!(per_mille_done(&info(0, 0, 0)), None);
        assert_eq!(per_mille_done(&StateInfo::default()), None);
        assert_eq!(per_mille_done(&info(u64::MAX, 0, 0)), None);
    }

    #[test]
    fn the_rate_is_taken_over_a_window() {
        let mut rate = Rate::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(rate.note(start, 1000), None);
        assert_eq!(rate.note(at(1), 900), Some(100));
        for second in 2..=20 {
            rate.note(at(second), 900 - second);
        }
        assert_eq!(rate.note(at(21), 879), Some(1));
    }

    #[test]
    fn a_bitmap_that_grows_has_no_rate() {
        let mut rate = Rate::default();
        let start = Instant::now();
        rate.note(start, 10);
        assert_eq!(rate.note(start + Duration::from_secs(1), 20), None);
    }

    #[test]
    fn the_text_has_percent_rate_and_time() {
        assert_eq!(
            sync_text(503, 25_600, Some(256)),
            "50.3%, 100 MiB left, 1.0 MiB/s, 0:01:40 to go"
        );
        assert_eq!(sync_text(0, 256, None), "0.0%, 1 MiB left");
    }

    #[test]
    fn templates_are_valid() {
        for template in ["{wide_bar} {msg}", "{spinner} {msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
