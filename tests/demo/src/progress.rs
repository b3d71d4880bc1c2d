// SPDX-License-Identifier: GPL-2.0

//! How far a resync is, read from `/proc/drbd`.

/// A resync that runs.
#[derive(Debug, PartialEq)]
pub(crate) struct Progress {
    /// 0 to 100.
    pub(crate) percent: u32,
    /// Speed and time left, for people.
    pub(crate) pace: String,
}

impl Progress {
    /// The resync in a `/proc/drbd`, if one runs there.
    pub(crate) fn read(proc: &str) -> Option<Self> {
        let (_, after) = proc.split_once("sync'ed:")?;
        let percent: f32 = after.split('%').next()?.trim().parse().ok()?;
        let mut pace = String::new();
        if let (Some(speed), Some(left)) = (word(after, "speed:"), word(after, "finish:")) {
            let kib: u64 = speed.replace(',', "").parse().ok()?;
            let seconds = left
                .split(':')
                .try_fold(0, |sum, part| Some(sum * 60 + part.parse::<u64>().ok()?))?;
            pace = format!("{} MiB/s, {seconds} s left", kib >> 10);
        }
        Some(Self {
            percent: percent as u32,
            pace,
        })
    }
}

/// KiB that a node received from its peer since it attached its disk.
pub(crate) fn received_kib(proc: &str) -> Option<u64> {
    word(proc, " nr:")?.parse().ok()
}

/// The word after a label.
fn word<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.split_once(label)?.1.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::{received_kib, Progress};

    const PROC: &str =
        " 0: cs:SyncTarget ro:Secondary/Primary ds:Inconsistent/UpToDate C r-----\n    \
        ns:0 nr:30720 dw:30720 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:34776\n\
        \t[=====>....] sync'ed: 50.0% (34776/65496)K\n\
        \tfinish: 0:01:04 speed: 7,680 (7,680) K/sec\n";

    #[test]
    fn progress_is_read_from_proc_drbd() {
        let progress = Progress::read(PROC).unwrap();
        assert_eq!(progress.percent, 50);
        assert_eq!(progress.pace, "7 MiB/s, 64 s left");
        assert_eq!(Progress::read("cs:Connected"), None);
    }

    #[test]
    fn received_data_is_read_from_proc_drbd() {
        assert_eq!(received_kib(PROC), Some(30720));
        assert_eq!(received_kib("cs:Unconfigured"), None);
    }
}
