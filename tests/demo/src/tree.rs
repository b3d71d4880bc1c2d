// SPDX-License-Identifier: GPL-2.0

//! Files on the replicated device and the checksums that the demo remembers outside of the machines.

use std::time::Duration;

use anyhow::{bail, ensure, Result};
use vm::side::{Side, DEVICE};

/// Where the file system is mounted.
pub(crate) const PLACE: &str = "/mnt/a";

/// How long one step over all files may take.
const STEP: Duration = Duration::from_secs(240);

/// Checksums of files that must never be lost.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    lines: Vec<String>,
}

impl Sums {
    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Remembers what a machine told: lines of sha256sum.
    pub(crate) fn add(&mut self, text: &str) {
        // The last line may still be on its way.
        let whole = text
            .lines()
            .filter(|line| line.len() > 66 && line.as_bytes()[64] == b' ');
        self.lines.extend(whole.map(str::to_owned));
    }

    /// Fails unless every file has its checksum, read from the device and not from memory.
    pub(crate) fn verify(&self, side: &Side<'_>) -> Result<()> {
        ensure!(!self.lines.is_empty(), "there is nothing to verify");
        side.write_file(
            "/tmp/sums",
            format!("{}\n", self.lines.join("\n")).as_bytes(),
        )?;
        side.ok_within(
            "echo 3 > /proc/sys/vm/drop_caches; sha256sum --quiet --strict -c /tmp/sums",
            STEP,
        )
        .map(drop)
    }
}

/// Copies the guest's `/usr/share`, makes it durable, and returns its checksums.
pub(crate) fn copy_share(side: &Side<'_>) -> Result<Sums> {
    side.ok_within(
        &format!("cp -a /usr/share {PLACE}/share && sync -f {PLACE}"),
        STEP,
    )?;
    let text = side.ok_within(
        &format!("find {PLACE}/share -type f -print0 | xargs -0 sha256sum"),
        STEP,
    )?;
    let mut sums = Sums::default();
    sums.add(&text);
    Ok(sums)
}

/// Goes on writing files in the background; `/tmp/fsynced` names those that are durable.
pub(crate) fn start_writer(side: &Side<'_>) -> Result<()> {
    let script = format!(
        "mkdir {PLACE}/writer && cd {PLACE}/writer && i=0 && while :; do i=$((i+1)); \
         dd if=/dev/urandom of=f$i bs=16k count=2 conv=fsync status=none || exit 1; \
         sync . || exit 1; sha256sum {PLACE}/writer/f$i >>/tmp/fsynced; done"
    );
    side.write_file("/tmp/writer", script.as_bytes())?;
    side.ok("touch /tmp/fsynced; setsid sh /tmp/writer >/tmp/writer.log 2>&1 </dev/null &")
        .map(drop)
}

/// Blocks until the writer has some files durable, and returns what it says.
pub(crate) fn writer_files(side: &Side<'_>, count: u32) -> Result<String> {
    side.ok(&format!(
        "tail -n +1 -f --pid=$$ /tmp/fsynced 2>/dev/null | head -n {count} >/dev/null; cat /tmp/fsynced"
    ))
}

/// Writes some more files, durable, and returns their checksums.
pub(crate) fn write_more(side: &Side<'_>, name: &str, count: u32) -> Result<String> {
    side.ok_within(
        &format!(
            "mkdir {PLACE}/{name} && cd {PLACE}/{name} && for i in $(seq {count}); do \
             dd if=/dev/urandom of=f$i bs=64k count=4 status=none || exit 1; done && \
             sync -f . && sha256sum {PLACE}/{name}/*"
        ),
        STEP,
    )
}

/// Makes an ext4 file system on the device and mounts it.
pub(crate) fn make(side: &Side<'_>) -> Result<()> {
    side.ok(&format!(
        "mke2fs -q -t ext4 {DEVICE} && mount {DEVICE} {PLACE}"
    ))
    .map(drop)
}

/// Checks the file system and mounts it. A journal that must be replayed is no damage.
pub(crate) fn check_and_mount(side: &Side<'_>) -> Result<String> {
    let fsck = side.sh_within(&format!("e2fsck -p {DEVICE}"), STEP)?;
    if fsck.status > 1 {
        bail!(
            "fsck found damage on {}: {}{}",
            side.name(),
            fsck.stdout,
            fsck.stderr
        );
    }
    side.ok(&format!("mount {DEVICE} {PLACE}"))?;
    Ok(fsck.stdout.lines().last().unwrap_or_default().to_owned())
}

/// Unmounts it.
pub(crate) fn unmount(side: &Side<'_>) -> Result<()> {
    side.ok_within(&format!("umount {PLACE}"), STEP).map(drop)
}
