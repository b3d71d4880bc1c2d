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
        IsTerminal,
        Write, //
    },
    os::unix::process::CommandExt,
    process::{
        Child,
        Command, //
    },
    sync::mpsc,
    time::Duration, //
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
    let dialogue = waiting_for(loaded).filter(|_| !children.is_empty());
    let dialogue = dialogue.filter(|_| io::stdin().is_terminal() && io::stdout().is_terminal());
    if dialogue.is_some() {
        listen(tell);
    }
    Ok(collect(&children, &news, dialogue.as_deref()))
}

/// What a user at the terminal is told: in the words of `drbdadm`, with the limits of the first
/// resource.
fn waiting_for(loaded: &Loaded) -> Option<String> {
    let first = loaded.mine().next()?;
    let limit = |name: &str| {
        let settings = first.resource.settings.startup.iter();
        let found = settings.rev().find(|setting| setting.name == name);
        found.map_or("0", |setting| setting.value.as_str())
    };
    Some(format!(
        "\n***************************************************************\n \
         DRBD's startup script waits for the peer node(s) to appear.\n \
         - If this node was already a degraded cluster before the\n   \
         reboot, the timeout is {} seconds. [degr-wfc-timeout]\n \
         - If the peer was available before the reboot, the timeout\n   \
         is {} seconds. [wfc-timeout]\n   \
         (These values are for resource '{}'; 0 sec -> wait forever)\n \
         To abort waiting enter 'yes' [ -- ]: ",
        limit("degr-wfc-timeout"),
        limit("wfc-timeout"),
        first.resource.name,
    ))
}

/// So many seconds pass before the user is asked: most waits are over by then.
const QUIET: u32 = 10;

/// What the user sees when so many seconds have passed.
fn shown_after(seconds: u32, dialogue: &str) -> String {
    // The number's place is in the line that asks.
    let number = format!("\x1b[s\x1b[31G[{seconds:4}]:\x1b[u");
    match seconds {
        ..QUIET => ".".into(),
        QUIET => format!(".{dialogue}{number}"),
        _ => number,
    }
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
    std::thread::spawn(move || {
        let mut lines = io::stdin().lock().lines();
        if lines.any(|line| line.is_ok_and(|line| line.trim() == "yes")) {
            let _ = tell.send(News::Enough);
        }
    });
}

/// Until all have ended, or the user has enough. Timeouts are no failure.
fn collect(children: &[u32], news: &mpsc::Receiver<News>, dialogue: Option<&str>) -> u8 {
    let mut worst = 0;
    let mut left = children.len();
    let mut seconds = 0;
    while left > 0 {
        match news.recv_timeout(Duration::from_secs(1)) {
            Ok(News::Ended(code)) => {
                left -= 1;
                if code == Some(20) {
                    worst = 20;
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if let Some(dialogue) = dialogue {
                    seconds += 1;
                    show(&shown_after(seconds, dialogue));
                }
            }
            Ok(News::Enough) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                for id in children {
                    end(*id);
                }
                break;
            }
        }
    }
    if dialogue.is_some() && seconds > 0 {
        show("\n");
    }
    worst
}

/// Shows something at once, without the end of a line.
fn show(text: &str) {
    let mut out = io::stdout().lock();
    // Whoever closed the output does not want to know.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
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

#[cfg(test)]
mod tests {
    use super::{
        shown_after,
        QUIET, //
    };

    #[test]
    fn the_user_is_asked_after_a_while_and_sees_how_long_it_has_been() {
        let shown: String = (1..=QUIET + 1).map(|s| shown_after(s, "?")).collect();
        let numbers = "\x1b[s\x1b[31G[  10]:\x1b[u\x1b[s\x1b[31G[  11]:\x1b[u";
        assert_eq!(shown, format!("..........?{numbers}"));
    }
}
