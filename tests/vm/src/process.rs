// SPDX-License-Identifier: GPL-2.0

//! Processes that outlive the program which started them, known by a file with their number.

use std::{
    fs::{self, File},
    path::Path,
    sync::{Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use rustix::{
    event::{poll, PollFd, PollFlags},
    fs::{flock, FlockOperation},
    io::Errno,
    process::{pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal},
};

use crate::{cluster::Cluster, paths::runs};

/// The number in `pid_file`, if that process lives and `mark` is on its command line (a number may
/// have been given to another process since).
pub(crate) fn living(pid_file: &Path, mark: &str) -> Option<Pid> {
    let number: i32 = fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    let command = fs::read(format!("/proc/{number}/cmdline")).ok()?;
    if !String::from_utf8_lossy(&command).contains(mark) {
        return None;
    }
    Pid::from_raw(number)
}

/// How long a process may take until all its threads stand still.
const HALT: Duration = Duration::from_secs(20);

/// Lets a process stand still between its system calls: what it writes is written whole, or not.
pub(crate) fn halt(pid: Pid) -> Result<()> {
    let handle = pidfd_open(pid, PidfdFlags::empty()).context("cannot open a handle")?;
    pidfd_send_signal(&handle, Signal::STOP).context("cannot stop the process")?;
    let deadline = Instant::now() + HALT;
    while !stands_still(pid)? {
        ensure!(Instant::now() < deadline, "a process does not stop");
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Whether all threads of a process are stopped.
fn stands_still(pid: Pid) -> Result<bool> {
    let tasks = format!("/proc/{}/task", pid.as_raw_nonzero());
    for task in fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
        // NUMBER (NAME) STATE ...; one that is gone does nothing any more.
        let state = fs::read_to_string(task?.path().join("stat")).unwrap_or_default();
        match state.rsplit_once(") ") {
            Some((_, rest)) if !rest.starts_with('T') => return Ok(false),
            _ => {}
        }
    }
    Ok(true)
}

/// Ends a process at once and waits until it is gone.
pub(crate) fn kill(pid: Pid) -> Result<()> {
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error).context("cannot open a handle of the process"),
    };
    match pidfd_send_signal(&handle, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => return Err(error).context("cannot kill the process"),
    }
    // The handle becomes readable when the process has ended.
    let mut waited = [PollFd::new(&handle, PollFlags::IN)];
    while let Err(error) = poll(&mut waited, None) {
        if error != Errno::INTR {
            return Err(error).context("cannot wait for the process to end");
        }
    }
    Ok(())
}

/// Whether a process ends before a time is over.
pub(crate) fn ends_within(pid: Pid, limit: Duration) -> Result<bool> {
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return Ok(true),
        Err(error) => return Err(error).context("cannot open a handle of the process"),
    };
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = rustix::event::Timespec::try_from(left).context("such a time is too long")?;
        let mut waited = [PollFd::new(&handle, PollFlags::IN)];
        match poll(&mut waited, Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for the process to end"),
        }
    }
}

/// Takes the lock on a file, or tells that another program has it.
pub(crate) fn try_lock(file: &File) -> Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error).context("cannot lock a file"),
    }
}

/// Takes the lock on a file when it becomes free.
pub(crate) fn lock(file: &File) -> Result<()> {
    flock(file, FlockOperation::LockExclusive).context("cannot lock a file")
}

/// The runs that this program owns.
static OWNED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes a run that ends with this program.
pub(crate) fn own(name: &str) {
    owned().push(name.into());
}

/// Takes the note away.
pub(crate) fn disown(name: &str) {
    owned().retain(|other| other != name);
}

fn owned() -> MutexGuard<'static, Vec<String>> {
    OWNED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Makes an interrupt from the terminal, or a request to end, take this program's machines along.
///
/// # Errors
///
/// The handler is set already.
pub fn stop_on_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        for name in owned().drain(..) {
            if let Ok(cluster) = Cluster::open(&name) {
                cluster.switch_off();
            }
        }
        std::process::exit(130);
    })
    .context("cannot set the signal handler")
}

/// Stops the machines of test programs that ended without doing it themselves.
pub fn stop_orphans() {
    let Ok(entries) = fs::read_dir(runs()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(owner) = File::open(entry.path().join("owner")) else {
            continue;
        };
        if matches!(try_lock(&owner), Ok(true)) {
            if let Ok(cluster) = Cluster::open(&name) {
                // Nobody looks at its result any more.
                let _ = cluster.down();
            }
            let _ = fs::remove_file(entry.path().join("owner"));
        }
    }
}
