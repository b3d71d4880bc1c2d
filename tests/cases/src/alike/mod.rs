// SPDX-License-Identifier: GPL-2.0

//! One script of commands, given to both modules: what Debian's tools print, how they end,
//! `/proc/drbd` after each command, and all events have to be the same, but for what a case lists
//! with its reason.

pub(crate) mod connected;
mod diff;
mod normal;

use std::{fs, path::PathBuf, thread, time::Duration};

use anyhow::{anyhow, ensure, Context, Result};
use vm::side::Side;

pub(crate) use normal::normal;

/// What runs commands and writes the transcript.
const PROGRAM: &str = include_str!("../../guest/transcript.sh");

/// Where it is in a guest.
const PLACE: &str = "/run/transcript.sh";

/// How long a part of a script may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Where transcripts that differ are kept, from the checkout.
const KEPT: &str = "target/alike";

/// So many lines of differences are shown.
const SHOWN: usize = 100;

/// A difference that is meant to be.
pub(crate) struct Known {
    /// A part of the command; that of the listing of events is its name, as `events2`.
    pub(crate) command: &'static str,
    /// What our module's line has in it; empty: there is no line of ours.
    pub(crate) ours: &'static str,
    /// What the C module's line has in it; empty: there is none.
    pub(crate) theirs: &'static str,
    /// Why.
    pub(crate) why: &'static str,
}

/// The transcript of one node in the making.
pub(crate) struct Script<'a> {
    side: Side<'a>,
    /// The node's own address and its peer's.
    addresses: [String; 2],
    text: String,
    /// Whether a peer acts, too.
    with_peer: bool,
}

impl<'a> Script<'a> {
    /// Begins to listen to the events of a node that has nothing yet.
    pub(crate) fn begin(side: Side<'a>, peer: &Side<'_>) -> Result<Self> {
        side.write_file(PLACE, PROGRAM.as_bytes())?;
        let script = Self {
            side,
            addresses: [side.address(), peer.address()],
            text: String::new(),
            with_peer: false,
        };
        script.call("begin", "")?;
        Ok(script)
    }

    fn call(&self, what: &str, input: &str) -> Result<String> {
        let [own, peer] = &self.addresses;
        self.side
            .write_file("/run/transcript.in", input.as_bytes())?;
        let command =
            format!("export OWN={own} PEER={peer}; bash {PLACE} {what} </run/transcript.in");
        self.side.ok_within(&command, LIMIT)
    }

    /// Runs commands, one a line.
    pub(crate) fn run(&mut self, commands: &str) -> Result<()> {
        self.add("run", commands)
    }

    /// Runs commands whose effects a peer has a part in: `/proc/drbd` is looked at once nothing is
    /// under way any more.
    pub(crate) fn run_with_peer(&mut self, commands: &str) -> Result<()> {
        self.with_peer = true;
        self.add("still", commands)
    }

    fn add(&mut self, how: &str, commands: &str) -> Result<()> {
        let text = self.call(how, commands)?;
        self.text.push_str(&text);
        self.text.push('\n');
        // What there is when something hangs.
        let file = format!("{}.so-far", self.side.name());
        Ok(fs::write(folder()?.join(file), &self.text)?)
    }

    /// The transcript, with all events.
    pub(crate) fn end(mut self) -> Result<String> {
        let mut events = self.call("end", "")?;
        if self.with_peer {
            events = normal::with_peer(&events);
        }
        self.text.push_str(&events);
        let [own, peer] = &self.addresses;
        Ok(normal(&self.text.replace(own, "OWN").replace(peer, "PEER")))
    }
}

/// Runs the same commands on two nodes that do not know each other, at the same time; the first one
/// has our module.
pub(crate) fn alone(ours: Side<'_>, theirs: Side<'_>, commands: &str) -> Result<[String; 2]> {
    let run = |side, peer| {
        let mut script = Script::begin(side, &peer)?;
        script.run(commands)?;
        script.end()
    };
    thread::scope(|scope| {
        let other = scope.spawn(move || run(theirs, ours));
        let ours = run(ours, theirs)?;
        let theirs = other.join().map_err(|_| anyhow!("it panicked"))??;
        Ok([ours, theirs])
    })
}

/// Compares the transcripts of our module and of the C module. A difference that is not known, and
/// one that is known and not there, fail.
pub(crate) fn compare(name: &str, transcripts: &[String; 2], known: &[Known]) -> Result<()> {
    let folder = folder()?;
    for (text, whose) in transcripts.iter().zip(["ours", "theirs"]) {
        fs::write(folder.join(format!("{name}.{whose}")), text)?;
    }
    let [ours, theirs] = transcripts;
    let (ours, theirs) = (sections(ours), sections(theirs));
    ensure!(
        ours.len() == theirs.len(),
        "{} commands ran here and {} there",
        ours.len(),
        theirs.len()
    );
    let mut used = vec![false; known.len()];
    let mut found = String::new();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let command = *ours.first().context("an empty section")?;
        let unknown: Vec<_> = diff::lines(ours, theirs)
            .into_iter()
            .filter(|hunk| !is_known(command, hunk, known, &mut used))
            .collect();
        if !unknown.is_empty() {
            found.push_str(command);
            found.push('\n');
            found.extend(unknown.iter().map(diff::Hunk::to_string));
        }
    }
    let some: Vec<_> = found.lines().take(SHOWN).collect();
    ensure!(
        found.is_empty(),
        "{name}: the modules differ (-: ours, +: the C module's; all is in {}):\n{}",
        folder.display(),
        some.join("\n")
    );
    for (known, used) in known.iter().zip(used) {
        ensure!(
            used,
            "'{}' is the same on both modules now: {}",
            known.command,
            known.why
        );
    }
    Ok(())
}

/// Where transcripts are kept.
fn folder() -> Result<PathBuf> {
    let folder = vm::repository().join(KEPT);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The lines of each command, the command first.
fn sections(text: &str) -> Vec<Vec<&str>> {
    let mut sections: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match sections.last_mut() {
            Some(section) if !line.starts_with("$ ") => section.push(line),
            _ => sections.push(vec![line]),
        }
    }
    sections
}

/// Whether every line of a difference is one of those that are meant to be.
fn is_known(command: &str, hunk: &diff::Hunk<'_>, known: &[Known], used: &mut [bool]) -> bool {
    let mut covered = |line: &str, part: fn(&Known) -> &'static str| {
        let at = known.iter().position(|known| {
            let part = part(known);
            command.contains(known.command) && !part.is_empty() && line.contains(part)
        });
        match at {
            Some(at) => used[at] = true,
            None => return false,
        }
        true
    };
    let ours = hunk
        .ours
        .iter()
        .filter(|line| !covered(line, |known| known.ours))
        .count();
    let theirs = hunk
        .theirs
        .iter()
        .filter(|line| !covered(line, |known| known.theirs))
        .count();
    ours + theirs == 0
}
