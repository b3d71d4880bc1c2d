// SPDX-License-Identifier: GPL-2.0

//! The file system on the replicated device.

use std::time::Duration;

use anyhow::{bail, Result};
use vm::side::{Side, DEVICE};

use crate::plan::FileSystem;

/// Where it is mounted.
pub(crate) const PLACE: &str = "/mnt/a";

/// How long a step may take.
const STEP: Duration = Duration::from_secs(120);

impl FileSystem {
    /// Loads what a machine that was booted needs for it. A second processor would have to be told
    /// of each place in the code that the kernel changes for that, which are thousands.
    pub(crate) fn load(self, side: &Side<'_>) -> Result<()> {
        match self {
            Self::Ext4 => Ok(()),
            Self::Xfs => side
                .ok_within("/payload/one-cpu modprobe xfs", STEP)
                .map(drop),
        }
    }

    /// Makes one.
    pub(crate) fn make(self, side: &Side<'_>) -> Result<()> {
        side.ok_within(
            &match self {
                Self::Ext4 => {
                    format!("mke2fs -q -t ext4 -E nodiscard,lazy_journal_init=1 {DEVICE}")
                }
                // It makes none of less than 300 MiB, but for the tests of file systems.
                Self::Xfs => {
                    format!("QA_CHECK_FS=1 TEST_DIR=1 TEST_DEV=1 mkfs.xfs -q -f -K {DEVICE}")
                }
            },
            STEP,
        )
        .map(drop)
    }

    /// Mounts it, and so replays its journal.
    pub(crate) fn mount(self, side: &Side<'_>) -> Result<()> {
        let kind = match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        };
        side.ok_within(&format!("mount -t {kind} {DEVICE} {PLACE}"), STEP)
            .map(drop)
    }

    /// Unmounts it.
    pub(crate) fn unmount(self, side: &Side<'_>) -> Result<()> {
        side.ok_within(&format!("umount {PLACE}"), STEP).map(drop)
    }

    /// Fails if one that is not mounted has any damage.
    pub(crate) fn check(self, side: &Side<'_>) -> Result<()> {
        let looked = side.sh_within(
            &match self {
                Self::Ext4 => format!("e2fsck -f -n {DEVICE}"),
                Self::Xfs => format!("xfs_repair -n {DEVICE}"),
            },
            STEP,
        )?;
        if !looked.success() {
            bail!(
                "node {}: the file system is damaged: {}{}",
                side.name(),
                looked.stdout,
                looked.stderr
            );
        }
        Ok(())
    }
}
