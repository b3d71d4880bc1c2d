// SPDX-License-Identifier: GPL-2.0

//! The story itself, a chapter a function.

use std::{
    sync::mpsc::{channel, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{anyhow, ensure, Context, Result};
use vm::{side::Side, Cluster};

use crate::{
    narrator::Narrator,
    tree::{self, Sums},
};

/// How often a resync's progress is shown.
const SHOW: Duration = Duration::from_millis(700);

/// Files that the writer has durable when the power goes.
const WRITER_FILES: u32 = 10;

/// Two nodes and what is known of their files.
pub(crate) struct Story<'a> {
    a: Side<'a>,
    b: Side<'a>,
    narrator: &'a mut Narrator,
    sums: Sums,
}

impl<'a> Story<'a> {
    pub(crate) fn new(cluster: &'a Cluster, narrator: &'a mut Narrator) -> Result<Self> {
        Ok(Self {
            a: Side::new(cluster.node("a")?),
            b: Side::new(cluster.node("b")?),
            narrator,
            sums: Sums::default(),
        })
    }

    /// All chapters.
    pub(crate) fn tell(&mut self) -> Result<()> {
        self.pair_up().context("pairing the two disks")?;
        self.fill()
            .context("copying files while they are replicated")?;
        self.power_cut().context("cutting the power of node a")?;
        self.fail_over().context("going on with node b")?;
        self.comes_back().context("bringing node a back")?;
        self.swap_roles().context("swapping the roles")
    }

    fn pair_up(&mut self) -> Result<()> {
        self.narrator
            .chapter("The two empty disks become one: metadata, attach, connect, protocol C");
        for side in [self.a, self.b] {
            side.create_md()?;
            side.new_resource()?;
            side.attach()?;
        }
        self.a.connect(&self.b, "")?;
        self.b.connect(&self.a, "")?;
        for side in [self.a, self.b] {
            side.await_event("connection:Connected")?;
        }
        self.a.primary_force()?;
        self.narrator
            .done("node a is Primary, and its disk is the good one");
        self.narrator
            .chapter("The first full sync, from node a to node b");
        let (a, b) = (self.a, self.b);
        self.watch_sync(b, || b.await_in_sync())?;
        a.await_in_sync()?;
        self.narrator.done("both disks are UpToDate");
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        self.narrator.chapter(
            "Node a makes an ext4 file system on /dev/drbd0 and copies /usr/share into it",
        );
        tree::make(&self.a)?;
        self.sums = tree::copy_share(&self.a)?;
        let count = self.sums.len();
        ensure!(count > 1000, "only {count} files were copied");
        self.narrator.done(&format!(
            "{count} files copied; they are durable on both nodes"
        ));
        Ok(())
    }

    fn power_cut(&mut self) -> Result<()> {
        self.narrator
            .chapter("Node a goes on writing, and in the middle of it its power is cut");
        tree::start_writer(&self.a)?;
        let durable = tree::writer_files(&self.a, WRITER_FILES)?;
        self.a.kill()?;
        self.sums.add(&durable);
        let count = durable.lines().count();
        self.narrator.done(&format!(
            "node a is dead; it had {count} more files fsynced"
        ));
        Ok(())
    }

    fn fail_over(&mut self) -> Result<()> {
        self.narrator
            .chapter("Node b notices, is promoted, checks the file system and mounts it");
        self.b
            .await_event("connection:(Connecting|NetworkFailure|Unconnected|BrokenPipe|Timeout)")?;
        self.b.primary()?;
        let fsck = tree::check_and_mount(&self.b)?;
        self.narrator.done(&format!("fsck: {fsck}"));
        self.narrator
            .chapter("Every file that was fsynced before the cut is verified on node b");
        self.sums.verify(&self.b)?;
        self.narrator
            .done(&format!("{} checksums are right", self.sums.len()));
        self.narrator.chapter("Node b writes more, alone");
        let more = tree::write_more(&self.b, "alone", 40)?;
        self.sums.add(&more);
        self.narrator
            .done("40 more files; node b remembers which blocks node a lacks");
        Ok(())
    }

    fn comes_back(&mut self) -> Result<()> {
        self.narrator
            .chapter("Node a gets its power back and boots");
        self.a.start()?;
        self.a.meta("0 v08 /dev/data1 internal apply-al")?;
        self.a.new_resource()?;
        self.a.attach()?;
        self.narrator.done("its old disk is attached");
        self.narrator
            .chapter("They connect again, and node a gets what it missed");
        self.a.connect(&self.b, "")?;
        let (a, b) = (self.a, self.b);
        b.await_event("connection:Connected")?;
        self.watch_sync(b, || a.await_in_sync())?;
        b.await_in_sync()?;
        self.narrator.done("both disks are UpToDate again");
        Ok(())
    }

    fn swap_roles(&mut self) -> Result<()> {
        self.narrator
            .chapter("The roles are swapped: b lets go, a takes over and verifies again");
        tree::unmount(&self.b)?;
        self.b.secondary()?;
        self.a.primary()?;
        tree::check_and_mount(&self.a)?;
        self.sums.verify(&self.a)?;
        tree::unmount(&self.a)?;
        let (on_a, on_b) = (self.a.lower_sum()?, self.b.lower_sum()?);
        ensure!(
            on_a == on_b,
            "the two disks differ although both are UpToDate"
        );
        self.narrator.done(&format!(
            "{} checksums are right, and both disks are equal bit by bit",
            self.sums.len()
        ));
        Ok(())
    }

    /// Waits for the end of a resync and shows meanwhile how far it is.
    fn watch_sync(
        &mut self,
        shown: Side<'_>,
        wait: impl FnOnce() -> Result<()> + Send,
    ) -> Result<()> {
        let (done, over) = channel::<()>();
        thread::scope(|scope| {
            let waiting = scope.spawn(move || {
                let result = wait();
                drop(done);
                result
            });
            while over.recv_timeout(SHOW) == Err(RecvTimeoutError::Timeout) {
                if let Some((percent, rest)) = shown.proc().ok().as_deref().and_then(progress) {
                    self.narrator.progress(percent, &rest);
                }
            }
            waiting
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the waiting thread panicked")))
        })
    }
}

/// Percent and "finish: ... speed: ..." of a `/proc/drbd` in which a resync runs.
fn progress(proc: &str) -> Option<(u32, String)> {
    let (_, after) = proc.split_once("sync'ed:")?;
    let percent: f32 = after.split('%').next()?.trim().parse().ok()?;
    let rest = proc.lines().find(|line| line.contains("finish:"))?;
    Some((
        percent as u32,
        rest.split_whitespace().collect::<Vec<_>>().join(" "),
    ))
}

#[cfg(test)]
mod tests {
    use super::progress;

    #[test]
    fn progress_is_read_from_proc_drbd() {
        let proc = "\t[=====>....] sync'ed: 50.0% (34776/65496)K\n\tfinish: 0:00:04 speed: 7,680 (7,680) K/sec\n";
        let (percent, rest) = progress(proc).unwrap();
        assert_eq!(percent, 50);
        assert_eq!(rest, "finish: 0:00:04 speed: 7,680 (7,680) K/sec");
        assert!(progress("cs:Connected").is_none());
    }
}
