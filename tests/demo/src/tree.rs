// SPDX-License-Identifier: GPL-2.0

//! Files on the replicated device, and the checksums that the demo keeps outside of the machines.

use std::time::Duration;

use anyhow::{bail, ensure, Result};
use vm::{
    reports,
    side::{Side, DEVICE},
};

/// Where the file system is mounted.
const PLACE: &str = "/mnt/a";

/// How long one step over all files may take.
const STEP: Duration = Duration::from_secs(240);

/// What the writer's reports on the console begin with.
const REPORT: &str = "tandem-demo: fsynced ";

/// Length of a checksum (MD5: emulated processors take ten times as long for SHA-256).
const DIGITS: usize = 32;

/// Checksums of files that must never be lost.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    lines: Vec<String>,
}

impl Sums {
    /// Reads the lines of `md5sum`.
    pub(crate) fn read(text: &str) -> Self {
        Self {
            lines: text.lines().filter_map(line).collect(),
        }
    }

    /// Reads what a writer reported on its machine's console.
    pub(crate) fn reported(console: &str) -> Self {
        Self {
            lines: reports(console, REPORT).filter_map(line).collect(),
        }
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Remembers more files.
    pub(crate) fn add(&mut self, more: Self) {
        self.lines.extend(more.lines);
    }

    /// Fails unless every file has its checksum, read from the device and not from memory.
    pub(crate) fn verify(&self, side: &Side<'_>) -> Result<()> {
        ensure!(!self.lines.is_empty(), "there is nothing to verify");
        let list = format!("{}\n", self.lines.join("\n"));
        side.write_file("/tmp/sums", list.as_bytes())?;
        let verdict = side.sh_within(
            "echo 3 > /proc/sys/vm/drop_caches; md5sum --quiet --strict -c /tmp/sums 2>&1",
            STEP,
        )?;
        if !verdict.success() {
            let wrong: Vec<&str> = verdict.stdout.lines().collect();
            let first = wrong.first().unwrap_or(&"no word why");
            bail!(
                "node {} lost files: {first} ({} lines like this)",
                side.name(),
                wrong.len()
            );
        }
        Ok(())
    }
}

/// A whole line of `md5sum`, or nothing.
fn line(text: &str) -> Option<String> {
    let (sum, path) = text.split_once("  ")?;
    let whole = sum.len() == DIGITS
        && sum.bytes().all(|digit| digit.is_ascii_hexdigit())
        && path.starts_with(PLACE);
    whole.then(|| text.to_owned())
}

/// Copies the guest's `/usr/share`, makes it durable, and returns the number of MiB and the
/// checksums of the originals, under the names of the copies.
pub(crate) fn copy_share(side: &Side<'_>) -> Result<(u64, Sums)> {
    side.ok_within(
        &format!("cp -a /usr/share {PLACE}/ && sync -f {PLACE}"),
        STEP,
    )?;
    let kib = side.ok(&format!("du -sk {PLACE}/share | cut -f1"))?;
    let text = side.ok_within(
        &format!(
            "cd /usr && find share -type f -print0 | xargs -0 md5sum | sed 's|  |  {PLACE}/|'"
        ),
        STEP,
    )?;
    Ok((kib.parse::<u64>()? >> 10, Sums::read(&text)))
}

/// Goes on writing in the background until the machine dies: files that are fsynced one by one and
/// then reported with their checksums on the console, outside the machine, and meanwhile direct
/// writes that nobody reports.
pub(crate) fn start_writer(side: &Side<'_>) -> Result<()> {
    let script = format!(
        "echo on > /proc/sys/kernel/printk_devkmsg\n\
         (while :; do\n\
         dd if=/dev/urandom of={PLACE}/unreported bs=64k count=64 oflag=direct\n\
         done) &\n\
         mkdir {PLACE}/writer; cd {PLACE}/writer; i=0\n\
         while i=$((i+1)); do\n\
         dd if=/dev/urandom of=f$i bs=16k count=$((i % 6 + 1)) && sync f$i . || exit 1\n\
         echo \"{REPORT}$(md5sum {PLACE}/writer/f$i) .\" > /dev/kmsg\n\
         echo $i >> /tmp/written\n\
         done\n"
    );
    side.write_file("/tmp/writer", script.as_bytes())?;
    side.ok("touch /tmp/written; setsid sh /tmp/writer >/dev/null 2>&1 </dev/null &")
        .map(drop)
}

/// Blocks until the writer has reported some files.
pub(crate) fn await_writer(side: &Side<'_>, count: u32) -> Result<()> {
    side.ok(&format!(
        "tail -n +1 -f --pid=$$ /tmp/written | head -n {count} >/dev/null"
    ))
    .map(drop)
}

/// Writes some more files, durable, and returns their checksums.
pub(crate) fn write_more(side: &Side<'_>, name: &str, count: u32) -> Result<Sums> {
    side.ok_within(
        &format!(
            "mkdir {PLACE}/{name} && cd {PLACE}/{name} && for i in $(seq {count}); do \
             dd if=/dev/urandom of=f$i bs=64k count=4 status=none || exit 1; done && \
             sync -f . && md5sum {PLACE}/{name}/*"
        ),
        STEP,
    )
    .map(|text| Sums::read(&text))
}

/// Makes an ext4 file system on the device and mounts it.
pub(crate) fn make(side: &Side<'_>) -> Result<()> {
    side.ok(&format!(
        "mke2fs -q -t ext4 -b 4096 -E nodiscard,lazy_journal_init=1 {DEVICE} && \
         mount {DEVICE} {PLACE}"
    ))
    .map(drop)
}

/// Checks the whole file system and returns what fsck says. A journal that must be replayed is no
/// damage.
pub(crate) fn check(side: &Side<'_>) -> Result<String> {
    let fsck = side.sh_within(&format!("e2fsck -f -p {DEVICE}"), STEP)?;
    if fsck.status > 1 {
        bail!(
            "fsck found damage on node {}: {} {}",
            side.name(),
            fsck.stdout.trim(),
            fsck.stderr.trim()
        );
    }
    let mut words: Vec<&str> = fsck
        .stdout
        .lines()
        .map(|line| line.trim_start_matches(DEVICE).trim_start_matches(": "))
        .collect();
    // Between the journal and the sum are inodes that were open when the power went.
    if words.len() > 2 {
        words.drain(1..words.len() - 1);
    }
    Ok(words.join("; "))
}

/// Mounts it.
pub(crate) fn mount(side: &Side<'_>) -> Result<()> {
    side.ok(&format!("mount {DEVICE} {PLACE}")).map(drop)
}

/// Unmounts it.
pub(crate) fn unmount(side: &Side<'_>) -> Result<()> {
    side.ok_within(&format!("umount {PLACE}"), STEP).map(drop)
}

#[cfg(test)]
mod tests {
    use super::Sums;

    const SUM: &str = "d41d8cd98f00b204e9800998ecf8427e  /mnt/a/writer/f1";

    #[test]
    fn a_report_counts_only_when_it_is_whole() {
        let whole = format!("[ 1.0] tandem-demo: fsynced {SUM} .\n[ 1.1] drbd: something else\n");
        assert_eq!(Sums::reported(&whole).len(), 1);
        let cut = format!("[ 1.0] tandem-demo: fsynced {SUM}");
        assert_eq!(Sums::reported(&cut).len(), 0);
        assert_eq!(Sums::reported("tandem-demo: fsynced d41d .").len(), 0);
    }

    #[test]
    fn sums_are_read_from_lines_of_md5sum() {
        assert_eq!(
            Sums::read(&format!("{SUM}\nmd5sum: no such file\n")).len(),
            1
        );
    }
}
