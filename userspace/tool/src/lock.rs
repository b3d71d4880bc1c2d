// SPDX-License-Identifier: GPL-2.0

//! The lock that keeps commands on one minor apart; DRBD's own tools take the same.

use crate::failure::Failure;
use rustix::fs::{
    fcntl_lock,
    open,
    FlockOperation,
    Mode,
    OFlags, //
};
use std::{
    os::fd::OwnedFd,
    thread::sleep,
    time::{
        Duration,
        Instant, //
    }, //
};

/// How long to wait for another command.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// A lock that is held as long as this lives.
pub(crate) struct MinorLock {
    _file: OwnedFd,
}

impl MinorLock {
    /// Takes the lock of `minor`.
    pub(crate) fn take(minor: u32) -> Result<Self, Failure> {
        let path = format!("/var/lock/drbd-147-{minor}");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| {
            Failure::invalid(format!("cannot open {path}: {error}"), "run it as root")
        })?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(_) if Instant::now() < deadline => sleep(PAUSE),
                Err(error) => {
                    return Err(Failure::invalid(
                        format!("another command works on minor {minor} ({path}: {error})"),
                        "wait until it is done; 'fuser -v' on the lock file names it",
                    ))
                }
            }
        }
    }
}
