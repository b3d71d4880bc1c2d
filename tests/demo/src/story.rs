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
    disks,
    narrator::Narrator,
    progress::{received_kib, Progress},
    tree::{self, Sums},
};

/// How often a resync's progress is shown.
const SHOW: Duration = Duration::from_millis(500);

/// Files that the writer has reported when the order to cut the power is given.
const WRITER_FILES: u32 = 12;

/// Files that node b writes while it is alone.
const MORE_FILES: u32 = 40;

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
        self.first_sync().context("the first sync")?;
        self.fill()
            .context("copying files while they are replicated")?;
        self.power_cut().context("cutting the power of node a")?;
        self.fail_over().context("going on with node b")?;
        self.comes_back().context("bringing node a back")?;
        self.catch_up().context("node a catching up")?;
        self.swap_roles().context("swapping the roles")
    }

    fn pair_up(&mut self) -> Result<()> {
        self.narrator
            .chapter("Two empty disks become one: metadata, attach, connect with protocol C");
        for side in [self.a, self.b] {
            side.create_md()?;
            side.new_resource()?;
            side.attach()?;
        }
        self.a.connect(&self.b, "")?;
        self.b.connect(&self.a, "")?;
        for side in [self.a, self.b] {
            side.setup("wait-connect 0")?;
        }
        self.narrator
            .done("/dev/drbd0 is there on both, connected; neither has good data yet");
        Ok(())
    }

    fn first_sync(&mut self) -> Result<()> {
        let mib = self.device_bytes()? >> 20;
        self.narrator.chapter(&format!(
            "Node a becomes Primary: its disk is the good one; b gets all {mib} MiB of it"
        ));
        self.a.primary_force()?;
        self.watch_sync(self.b, self.b)?;
        self.narrator.done("both disks are UpToDate");
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        self.narrator.chapter(
            "Node a makes an ext4 file system on /dev/drbd0 and copies its /usr/share into it",
        );
        tree::make(&self.a)?;
        let (mib, sums) = tree::copy_share(&self.a)?;
        self.sums = sums;
        let count = self.sums.len();
        ensure!(count > 1000, "only {count} files were copied");
        self.narrator.done(&format!(
            "{count} files, {mib} MiB, each block on both disks; checksums noted outside"
        ));
        Ok(())
    }

    fn power_cut(&mut self) -> Result<()> {
        self.narrator.chapter(
            "Node a writes on, fsyncs file by file, and in the middle of it loses its power",
        );
        tree::start_writer(&self.a)?;
        tree::await_writer(&self.a, WRITER_FILES)?;
        self.a.kill()?;
        let reported = Sums::reported(&self.a.console()?);
        let count = reported.len();
        ensure!(
            count >= WRITER_FILES as usize,
            "only {count} reports of the writer reached the console"
        );
        self.sums.add(reported);
        self.narrator.done(&format!(
            "node a is dead; {count} more files had been fsynced by then"
        ));
        Ok(())
    }

    fn fail_over(&mut self) -> Result<()> {
        self.narrator
            .chapter("Node b notices, takes over as Primary and checks the file system");
        self.b
            .await_event("connection:(Connecting|NetworkFailure|Unconnected|BrokenPipe|Timeout)")?;
        self.b.primary()?;
        let fsck = tree::check(&self.b)?;
        self.narrator.done(&format!("fsck: {fsck}"));
        self.narrator.chapter(&format!(
            "Node b verifies all {} files that were durable before the cut",
            self.sums.len()
        ));
        tree::mount(&self.b)?;
        self.sums.verify(&self.b)?;
        self.narrator.done("every checksum is right");
        Ok(())
    }

    fn comes_back(&mut self) -> Result<()> {
        self.narrator
            .chapter("Node b works on alone, while a has its power back and boots");
        let (a, b) = (self.a, self.b);
        let more = thread::scope(|scope| {
            let boot = scope.spawn(move || a.start());
            let more = tree::write_more(&b, "alone", MORE_FILES);
            boot.join()
                .unwrap_or_else(|_| Err(anyhow!("the boot panicked")))?;
            more
        })?;
        ensure!(
            more.len() == MORE_FILES as usize,
            "node b wrote {} files instead of {MORE_FILES}",
            more.len()
        );
        self.sums.add(more);
        a.meta("0 v08 /dev/data1 internal apply-al")?;
        a.new_resource()?;
        a.attach()?;
        self.narrator.done(&format!(
            "{MORE_FILES} more files on b; a has applied its activity log and attached its disk"
        ));
        Ok(())
    }

    fn catch_up(&mut self) -> Result<()> {
        self.narrator
            .chapter("They connect again, and node a gets what it missed or may have torn");
        let (a, b) = (self.a, self.b);
        a.connect(&b, "")?;
        a.setup("wait-connect 0")?;
        self.watch_sync(a, a)?;
        let proc = a.proc()?;
        ensure!(
            proc.contains("ro:Secondary/Primary"),
            "node a came back in the wrong role: {proc}"
        );
        let kib = received_kib(&proc).context("/proc/drbd does not say what was received")?;
        ensure!(kib > 0, "node a received nothing");
        self.narrator.done(&format!(
            "both disks are UpToDate again after {} MiB instead of {}",
            kib >> 10,
            self.device_bytes()? >> 20
        ));
        Ok(())
    }

    fn swap_roles(&mut self) -> Result<()> {
        self.narrator.chapter(
            "The roles are swapped: b lets go, a is Primary again and verifies everything",
        );
        tree::unmount(&self.b)?;
        self.b.secondary()?;
        self.a.primary()?;
        tree::mount(&self.a)?;
        self.sums.verify(&self.a)?;
        tree::unmount(&self.a)?;
        let bytes = self.device_bytes()?;
        disks::expect_equal(&self.a.disk_path(1), &self.b.disk_path(1), bytes)?;
        self.narrator.done(&format!(
            "all {} checksums are right, and the two disks are equal byte for byte",
            self.sums.len()
        ));
        Ok(())
    }

    /// Size of the replicated device.
    fn device_bytes(&self) -> Result<u64> {
        let sectors: u64 = self.a.ok("cat /sys/block/drbd0/size")?.parse()?;
        Ok(sectors * 512)
    }

    /// Waits on one node for the end of a resync, and shows meanwhile how far it is on another.
    fn watch_sync(&mut self, waits: Side<'_>, shown: Side<'_>) -> Result<()> {
        let (done, over) = channel::<()>();
        thread::scope(|scope| {
            let waiting = scope.spawn(move || {
                let result = waits.setup("wait-sync 0");
                drop(done);
                result
            });
            while over.recv_timeout(SHOW) == Err(RecvTimeoutError::Timeout) {
                if let Some(progress) = shown.proc().ok().as_deref().and_then(Progress::read) {
                    self.narrator.progress(&progress);
                }
            }
            waiting
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the waiting thread panicked")))
        })?;
        self.a.await_in_sync()?;
        self.b.await_in_sync()
    }
}
