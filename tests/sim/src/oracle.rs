// SPDX-License-Identifier: GPL-2.0

//! What the application may expect, and the checks of the promises.
//!
//! Writes are named by numbers that grow, so that of two contents of a sector the later one is the
//! larger. Per sector there is a *low*: the latest write that was completed; a *high*: the latest
//! that was started; and a *floor*: the latest that was completed before a flush that completed.
//!
//! Where two nodes write at the same time, the order of names says nothing of concurrent writes:
//! a content is too old only if it was completed before a write began that was completed, too.

use std::collections::BTreeSet;

use tandem_engine::engine::ids::Extent;
use tandem_engine::engine::volume::WantedAck;

use crate::verify::{Watch, ROT};

/// First number of a write.
const FIRST_WRITE: u32 = 10;

/// What a read has to return at least, by sector.
#[derive(Clone, Debug)]
pub struct Lows {
    lows: Vec<u32>,
    /// Losses until it started.
    losses: u32,
}

/// A write that was completed.
#[derive(Clone, Copy, Debug)]
struct Done {
    id: u32,
    extent: Extent,
    at: u64,
    /// Its completion only said that it was sent.
    sent: bool,
}

/// What is known of the application's writes.
#[derive(Clone)]
pub struct Oracle {
    next: u32,
    low: Vec<u32>,
    high: Vec<u32>,
    floor: Vec<u32>,
    /// The floor of the Primary's peer: it has flushed what a `P_BARRIER_ACK` covers, and no flush
    /// of the application waits for that.
    peer_floor: Vec<u32>,
    /// Flushed for the application, and not known to be on the peer's stable storage.
    owed: Vec<(u64, u32)>,
    is_touched: Vec<bool>,
    /// The writes of the application since a node was made Primary.
    reign: Vec<Done>,
    /// What was completed before.
    base: Vec<u32>,
    /// When each write began, by its number.
    begun: Vec<u64>,
    /// When each write was completed, by its number; for ever under way: `u64::MAX`.
    ended: Vec<u64>,
    /// Both nodes may write at the same time.
    pub dual: bool,
    /// The order of begins and ends of writes.
    clock: u64,
    /// A Primary lost its power: what was only in its send buffer is lost (protocol A).
    pub torn: bool,
    /// How many flushes failed.
    failed_flushes: u32,
    /// How often writes were lost that had been completed.
    losses: u32,
    /// The low of each sector after the last loss, and which it was.
    lost: Vec<(u32, u32)>,
    /// Sectors that were ever written.
    pub touched: Vec<u64>,
    /// The writes that are zeroes.
    pub zeroes: BTreeSet<u32>,
    /// The verify that began last.
    pub verify: Watch,
    /// The node whose data is being declared good by force, as nobody's is.
    pub(crate) forcing: Option<usize>,
    /// The node misses a completed write.
    pub behind: [bool; 2],
    /// The node never had a write that was completed without it.
    pub missed: [bool; 2],
    /// The node was Primary without its peer since it last began to be the source of a resync: what
    /// the target finishes then is not all.
    pub went_on: [bool; 2],
    /// The node lost what it had not flushed.
    pub weak: [bool; 2],
    /// It lost it as the peer of a Primary.
    pub weak_peer: [bool; 2],
    /// Both nodes served applications independently: contents have no order any more.
    pub split: bool,
    /// A node was promoted alone although the other had completed writes that it missed.
    pub parted: bool,
    /// The node whose data was declared good by force, when nothing had been good yet.
    pub declared: Option<usize>,
    /// The two may refuse each other although nothing diverged: a diskless Primary refused the data
    /// of its peer, or both had lost their disks.
    pub may_look_split: bool,
    /// The two disks were in sync before, so that differences have to be marked.
    pub synced: bool,
}

/// What was completed when a flush began.
#[derive(Clone, Debug)]
pub struct Completed {
    /// How many flushes had failed by then.
    failed: u32,
    /// The last completed write of each sector.
    sectors: Vec<(u64, u32)>,
}

impl Oracle {
    /// A volume of `sectors` sectors whose disks hold `content`.
    pub fn new(sectors: u64, content: u32) -> Self {
        let all = vec![content; sectors as usize];
        Self {
            next: FIRST_WRITE,
            low: all.clone(),
            high: all.clone(),
            floor: all.clone(),
            peer_floor: all,
            owed: Vec::new(),
            reign: Vec::new(),
            base: vec![content; sectors as usize],
            begun: Vec::new(),
            ended: Vec::new(),
            dual: false,
            clock: 0,
            torn: false,
            is_touched: vec![false; sectors as usize],
            failed_flushes: 0,
            losses: 0,
            lost: vec![(0, 0); sectors as usize],
            touched: Vec::new(),
            zeroes: BTreeSet::new(),
            verify: Watch::default(),
            forcing: None,
            behind: [false; 2],
            missed: [false; 2],
            went_on: [false; 2],
            weak: [false; 2],
            weak_peer: [false; 2],
            split: false,
            parted: false,
            declared: None,
            may_look_split: false,
            synced: true,
        }
    }

    /// Names a new write.
    pub fn start(&mut self, extent: Extent) -> u32 {
        let id = self.next;
        self.next += 1;
        self.clock += 1;
        self.begun.push(self.clock);
        self.ended.push(u64::MAX);
        for sector in extent.sector..extent.end() {
            self.high[sector as usize] = id;
            if !self.is_touched[sector as usize] {
                self.is_touched[sector as usize] = true;
                self.touched.push(sector);
            }
        }
        id
    }

    /// A write was completed.
    pub fn ack(&mut self, id: u32, extent: Extent, sent: Option<WantedAck>) {
        self.clock += 1;
        if let Some(ended) = self.ended.get_mut(place(id)) {
            *ended = self.clock;
        }
        self.reign.push(Done {
            id,
            extent,
            at: self.clock,
            sent: sent == Some(WantedAck::None),
        });
        for sector in extent.sector..extent.end() {
            let low = &mut self.low[sector as usize];
            *low = id.max(*low);
        }
    }

    /// Whether the application was told that a write is done.
    pub fn is_completed(&self, id: u32) -> bool {
        self.ended.get(place(id)).is_some_and(|at| *at != u64::MAX)
    }

    /// Whether a sector's `content` is too old where write `low` was completed.
    pub fn is_older(&self, content: u32, low: u32) -> bool {
        if content >= low || !self.dual {
            return content < low;
        }
        // What was there before all writes is older than all of them.
        let ended = self.ended.get(place(content)).copied().unwrap_or(0);
        ended < self.begun.get(place(low)).copied().unwrap_or(0)
    }

    /// What a flush that starts now has to make durable.
    pub fn completed(&self) -> Completed {
        let last = |&s: &u64| (s, self.low[s as usize]);
        Completed {
            failed: self.failed_flushes,
            sectors: self.touched.iter().map(last).collect(),
        }
    }

    /// A flush failed: the application knows that what was done before may be lost, and that the
    /// flushes that it had begun then may not tell it again.
    pub fn flush_failed(&mut self) {
        self.failed_flushes += 1;
    }

    /// A flush that started with `completed` was completed.
    pub fn flushed(&mut self, completed: Completed) {
        if self.dual || completed.failed != self.failed_flushes {
            // With two Primaries, it was the disk of one node, and the peer's barriers tell
            // nothing of its own writes.
            return;
        }
        let completed = completed.sectors;
        raise(&mut self.floor, &completed);
        self.owed.extend(completed);
    }

    /// A write that had to be on stable storage was completed; `peer`: there, too.
    pub fn forced(&mut self, id: u32, extent: Extent, peer: bool) {
        if self.dual {
            return;
        }
        let sectors: Vec<(u64, u32)> = (extent.sector..extent.end()).map(|s| (s, id)).collect();
        raise(&mut self.floor, &sectors);
        if peer {
            raise(&mut self.peer_floor, &sectors);
        } else {
            self.owed.extend(sectors);
        }
    }

    /// The peer has flushed all that was sent.
    pub fn peer_flushed(&mut self) {
        let owed = core::mem::take(&mut self.owed);
        raise(&mut self.peer_floor, &owed);
    }

    /// What a node that lost its cache still has to have of a sector.
    fn floor_of(&self, node: usize, sector: usize) -> u32 {
        let floor = self.floor[sector];
        match self.weak_peer[node] {
            true => floor.min(self.peer_floor[sector]),
            false => floor,
        }
    }

    /// The volume has the content of `disk` from here on.
    pub fn adopt(&mut self, disk: &[u32]) {
        self.low.copy_from_slice(disk);
        self.high.copy_from_slice(disk);
        self.floor.copy_from_slice(disk);
        self.peer_floor.copy_from_slice(disk);
        self.owed.clear();
        self.reign.clear();
        self.base.copy_from_slice(disk);
    }

    /// A node lost its cache, and what it has is what there is: what was not flushed may be lost.
    pub fn weaken(&mut self, node: usize) {
        for &sector in &self.touched {
            let i = sector as usize;
            self.floor[i] = self.floor_of(node, i);
        }
        self.low.clone_from(&self.floor);
        self.note_loss();
    }

    fn note_loss(&mut self) {
        self.reign.clear();
        for &sector in &self.touched {
            let i = sector as usize;
            self.base[i] = self.base[i].min(self.low[i]);
        }
        self.losses += 1;
        for &sector in &self.touched {
            let i = sector as usize;
            self.lost[i] = (self.losses, self.low[i]);
        }
    }

    /// There is nothing but what is on that disk.
    pub fn live_on(&mut self, disk: &[u32]) {
        for &sector in &self.touched {
            let i = sector as usize;
            self.low[i] = self.low[i].min(disk[i]);
            self.floor[i] = self.floor[i].min(disk[i]);
        }
        self.note_loss();
    }

    /// The Primary is dead, and that disk is what there is. With protocol A it may lack what was
    /// completed, but only from some moment on: what a write that it has came after is there.
    pub fn take_over(&mut self, disk: &[u32]) {
        let begun = |id: u32| {
            let index = id.checked_sub(FIRST_WRITE);
            index.and_then(|i| self.begun.get(i as usize)).copied()
        };
        let present = self.touched.iter().map(|&s| disk[s as usize]);
        let last = present.filter_map(begun).max().unwrap_or(0);
        let mut low = self.base.clone();
        for done in &self.reign {
            if !done.sent || done.at < last {
                for sector in done.extent.sector..done.extent.end() {
                    let low = &mut low[sector as usize];
                    *low = done.id.max(*low);
                }
            }
        }
        self.low = low;
        self.note_loss();
    }

    /// What a read that starts now must at least return.
    pub fn lows(&self, extent: Extent) -> Lows {
        Lows {
            lows: self.low[extent.sector as usize..extent.end() as usize].to_vec(),
            losses: self.losses,
        }
    }

    /// Checks what a read returned.
    pub fn check_read(&self, extent: Extent, lows: &Lows, data: &[u32]) -> Result<(), String> {
        if self.split {
            return Ok(());
        }
        for ((sector, &low), &got) in (extent.sector..extent.end()).zip(&lows.lows).zip(data) {
            if got == ROT {
                continue;
            }
            let high = self.high[sector as usize];
            // What was lost meanwhile with a disk's cache is not expected any more.
            let low = match self.lost[sector as usize] {
                (loss, left) if loss > lows.losses => low.min(left),
                _ => low,
            };
            if self.is_older(got, low) || got > high {
                return Err(format!(
                    "read of sector {sector} returned write {got}, expected {low}..={high}"
                ));
            }
        }
        Ok(())
    }

    /// Checks the content that a node is about to serve.
    pub fn check_content(&self, disk: &[u32], node: usize) -> Result<(), String> {
        if self.split {
            return Ok(());
        }
        for &sector in &self.touched {
            let i = sector as usize;
            if disk[i] == ROT {
                continue;
            }
            let low = if self.weak[node] {
                self.floor_of(node, i)
            } else {
                self.low[i]
            };
            if self.is_older(disk[i], low) || disk[i] > self.high[i] {
                return Err(format!(
                    "{} serves write {} in sector {sector}, expected {low}..={}",
                    ["a", "b"][node],
                    disk[i],
                    self.high[i]
                ));
            }
        }
        Ok(())
    }

    /// A node was made Primary: what it has is what there is.
    pub fn settle(&mut self, node: usize, cached: &[u32], durable: &[u32]) {
        for &sector in &self.touched {
            let i = sector as usize;
            if cached[i] == ROT {
                continue;
            }
            self.low[i] = cached[i];
            self.high[i] = match self.dual {
                // What a Primary that is gone has sent may still be on its way to the disk.
                true => cached[i].max(self.high[i]),
                false => cached[i],
            };
            self.floor[i] = match durable[i] {
                // Should both crash, either disk may be the one that counts.
                _ if self.dual => self.floor[i].min(cached[i]),
                ROT => self.floor[i].min(cached[i]),
                durable => durable.min(cached[i]),
            };
            self.peer_floor[i] = self.floor[i];
        }
        self.owed.clear();
        self.reign.clear();
        self.base.clone_from(&self.low);
        self.torn = false;
        self.weak[node] = false;
        self.weak_peer[node] = false;
    }
}

/// The place of a write in lists by number; none has that of what was there before all writes.
fn place(id: u32) -> usize {
    id.checked_sub(FIRST_WRITE)
        .map_or(usize::MAX, |place| place as usize)
}

/// Lifts floors to what was flushed.
fn raise(floor: &mut [u32], flushed: &[(u64, u32)]) {
    for &(sector, id) in flushed {
        let floor = &mut floor[sector as usize];
        *floor = id.max(*floor);
    }
}
