// SPDX-License-Identifier: GPL-2.0

//! A file system on the device, with files whose checksums are remembered outside of it.

use anyhow::{bail, Result};

use vm::side::{Side, DEVICE};

/// Where it is mounted.
const PLACE: &str = "/mnt/a";

/// Makes an ext4 file system and mounts it.
pub(crate) fn make(side: &Side<'_>) -> Result<()> {
    side.ok(&format!(
        "mke2fs -q -t ext4 {DEVICE} && mount {DEVICE} {PLACE}"
    ))
    .map(drop)
}

/// Checks the file system and mounts it; a journal that has to be replayed is no damage.
pub(crate) fn check_and_mount(side: &Side<'_>) -> Result<()> {
    let fsck = side.sh(&format!("e2fsck -p {DEVICE}"))?;
    if fsck.status > 1 {
        bail!("e2fsck found damage: {}{}", fsck.stdout, fsck.stderr);
    }
    side.ok(&format!("mount {DEVICE} {PLACE}")).map(drop)
}

/// Unmounts it.
pub(crate) fn unmount(side: &Side<'_>) -> Result<()> {
    side.ok(&format!("umount {PLACE}")).map(drop)
}

/// Writes and fsyncs files of random bytes; returns their checksums.
pub(crate) fn write(side: &Side<'_>, name: &str, count: u32) -> Result<String> {
    side.ok(&format!(
        "mkdir {PLACE}/{name} && cd {PLACE}/{name} && for i in $(seq {count}); do \
         dd if=/dev/urandom of=file$i bs=64k count=4 conv=fsync status=none || exit 1; done && \
         sync {PLACE}/{name} {PLACE} && sha256sum {PLACE}/{name}/*"
    ))
}

/// Fails unless the files have these checksums.
pub(crate) fn verify(side: &Side<'_>, sums: &str) -> Result<()> {
    side.write_file("/tmp/sums", format!("{sums}\n").as_bytes())?;
    side.ok("echo 3 > /proc/sys/vm/drop_caches; sha256sum --quiet -c /tmp/sums")
        .map(drop)
}
