// SPDX-License-Identifier: GPL-2.0

//! `wait-con-int`: at boot, waits for the peers of all resources, and lets the user end it.

use super::{
    lines,
    loaded::Loaded,
    runner::Runner, //
};
use crate::failure::Failure;
use std::{
    io::{
        self,
        BufRead,
        IsTerminal, //
    },
    os::unix::process::CommandExt,
    process::{
        Child,
        Command, //
    },
    sync::mpsc, //
};

/// What may happen meanwhile.
enum News {
    /// One of the waits ended, with this exit code.
    Ended(Option<i32>),
    /// The user does not want to wait any longer.
    Enough,
}

/// Waits for all volumes.
pub(super) fn until_connected_or_told(loaded: &Loaded, runner: &Runner) -> Result<u8, Failure> {
    let mut waits = Vec::new();
    for target in loaded.mine() {
        for volume in &target.host.volumes {
            let with_volume = super::Target {
                volume: Some(volume),
                ..target
            };
            let step = lines::step("wait-connect", &with_volume, &[], loaded);
            if runner.dry_run {
                step.run(runner);
            } else {
                waits.extend(step.lines);
            }
        }
    }
    let (tell, news) = mpsc::channel();
    let mut children = Vec::new();
    for line in waits {
        let child = begin(&line.words).map_err(|error| {
            Failure::Other(anyhow::Error::new(error).context("cannot run wait-connect"))
        })?;
        children.push(watch(child, tell.clone()));
    }
    listen(tell);
    Ok(collect(&children, &news))
}

/// Starts a wait of its own; this program runs itself.
fn begin(words: &[String]) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg0("tandem")
        .arg("setup")
        .args(words)
        .spawn()
}

/// Tells when the child ends; returns its process.
fn watch(mut child: Child, tell: mpsc::Sender<News>) -> u32 {
    let id = child.id();
    std::thread::spawn(move || {
        let status = child.wait().ok().and_then(|status| status.code());
        // Nobody listens any more when all is over.
        let _ = tell.send(News::Ended(status));
    });
    id
}

/// Tells when the user types `yes`.
fn listen(tell: mpsc::Sender<News>) {
    if !io::stdin().is_terminal() {
        return;
    }
    eprintln!(
        "tandem: waiting for the peers of all resources.\n  To end the waiting, type 'yes'; the \
         resources stay as they are and go on looking for their peers."
    );
    std::thread::spawn(move || {
        let mut lines = io::stdin().lock().lines();
        if lines.any(|line| line.is_ok_and(|line| line.trim() == "yes")) {
            let _ = tell.send(News::Enough);
        }
    });
}

/// Until all have ended, or the user has enough. Timeouts are no failure.
fn collect(children: &[u32], news: &mpsc::Receiver<News>) -> u8 {
    let mut worst = 0;
    let mut left = children.len();
    while left > 0 {
        match news.recv() {
            Ok(News::Ended(code)) => {
                left -= 1;
                if code == Some(20) {
                    worst = 20;
                }
            }
            Ok(News::Enough) | Err(_) => {
                for id in children {
                    end(*id);
                }
                return worst;
            }
        }
    }
    worst
}

/// Ends one of the waits.
fn end(id: u32) {
    let id = i32::try_from(id)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        // It may be gone already.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::INT);
    }
}
