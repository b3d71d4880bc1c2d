// SPDX-License-Identifier: GPL-2.0

//! One node's part of a volume: its disk, the engine's value, and what is under way.

use std::collections::{BTreeMap, VecDeque};

use tandem_engine::engine::ids::{PeerTicket, Ticket};
use tandem_engine::engine::resource::LowerSizes;
use tandem_engine::engine::trace::Traced;
use tandem_engine::engine::volume::{
    DiskTables, OverlapNode, PeerSlot, RequestLimits, Slot, Tables, Volume,
};

use crate::disk::{Disk, MetaWrite, META_SECTORS};
use crate::listener::Listener;
use crate::node::{App, MetaOp, NodeConfig};
use crate::Heap;

/// One node's part of a volume.
pub struct Vol {
    /// The disk, attached or not.
    pub disk: Disk,
    /// The engine's volume.
    pub engine: Traced<Volume<Heap>, Listener>,
    /// Tables of the disk that is being attached.
    pub attaching: Option<DiskTables<Heap>>,
    /// It is going to be Primary although the other one has what it misses.
    pub parting: bool,
    /// The largest requests that its device takes.
    pub limits: RequestLimits,
    /// A lower disk is in use.
    pub lower: bool,
    /// Flushes of it for barriers of the peer.
    pub flushes: u32,
    /// Reads of the application that its disk serves without a slot.
    pub direct_reads: u32,
    /// An operation of it has failed.
    pub broken: bool,
    /// An operation of it or of a former one has failed since both were in sync.
    pub suspect: bool,
    /// Its disk was given up since both were in sync: it failed, did not answer, or was taken away.
    pub gave_up: bool,
    /// Somebody is going to look whether the disk still answers.
    pub watching: bool,
    /// Requests by slot.
    pub requests: Vec<Option<App>>,
    /// Requests without slot.
    pub parked: VecDeque<App>,
    /// Payloads of peer requests by slot.
    pub payloads: Vec<Option<Vec<u32>>>,
    /// What the peer has told to be in blocks that are verified, by slot of a peer request.
    pub told: Vec<Vec<u32>>,
    /// The log is being written.
    pub log_busy: bool,
    /// The block to write when the pages are durable.
    pub log_block: Option<MetaWrite>,
    /// Metadata writes: one is at the disk at a time, in this order.
    pub meta: BTreeMap<u64, MetaOp>,
    /// When the last of them is done.
    pub meta_until: u64,
    /// A resync ended (flag).
    pub resync_finished: bool,
    /// A verify ended (flag).
    pub verify_finished: bool,
    /// A resync tick is scheduled.
    pub resync_tick: bool,
    /// The device may be opened for writing.
    pub writable: bool,
    /// The device is open.
    pub open: bool,
    /// Blocks that a resync brought here, since the last look.
    pub resynced: u64,
}

impl Vol {
    /// A part with that disk, which is not attached.
    pub fn new(disk: Disk, config: &NodeConfig) -> Self {
        let (slots, peers) = (config.slots, config.peers);
        let tables = Tables {
            slots: vec![Slot::default(); slots],
            peers: vec![PeerSlot::default(); peers],
            overlap_nodes: vec![OverlapNode::default(); 2 * (slots + peers)],
            overlap_heads: vec![0; 16],
        };
        let ear = config.listener.clone();
        let number = ear.next_value();
        let name = format_args!("simulated");
        Self {
            disk,
            engine: Traced::<Volume<Heap>, _>::volume(ear, number, name, tables),
            attaching: None,
            parting: false,
            limits: RequestLimits::ANY,
            lower: false,
            flushes: 0,
            direct_reads: 0,
            broken: false,
            suspect: false,
            gave_up: false,
            watching: false,
            requests: vec![None; slots],
            parked: VecDeque::new(),
            payloads: vec![None; peers],
            told: vec![Vec::new(); peers],
            log_busy: false,
            log_block: None,
            meta: BTreeMap::new(),
            meta_until: 0,
            resync_finished: false,
            verify_finished: false,
            resync_tick: false,
            writable: false,
            open: false,
            resynced: 0,
        }
    }

    /// What is left of it when its node loses power: the disk, and what is known of that.
    pub(crate) fn after_crash(&self, config: &NodeConfig) -> Self {
        Self {
            suspect: self.suspect,
            gave_up: self.gave_up,
            ..Self::new(self.disk.clone(), config)
        }
    }

    /// The sizes of its lower devices, which only tell what they have now.
    pub fn lower_sizes(&self) -> LowerSizes {
        LowerSizes {
            data: self.disk.sectors(),
            meta: META_SECTORS,
        }
    }

    /// Whether write `id` or a later one of that sector is in memory, on its way to the disk.
    pub fn holds(&self, sector: u64, id: u32) -> bool {
        let waits = |index: usize| {
            let ticket = PeerTicket {
                index: index as u32,
            };
            let extent = self.engine.peer_view(ticket)?.extent;
            let at = sector.checked_sub(extent.sector)?;
            self.payloads[index].as_ref()?.get(at as usize).copied()
        };
        let waiting = (0..self.payloads.len()).filter_map(waits).max();
        waiting.max(self.disk.under_way(sector)) >= Some(id)
    }

    /// The disk has served a read; nobody may wait for it any more.
    pub(crate) fn fill_read(&mut self, ticket: Ticket) {
        let wanted = self.engine.is_at_disk(ticket);
        let app = self.requests[ticket.index as usize].as_mut();
        if let Some(app) = app.filter(|_| wanted) {
            app.data = self.disk.read(app.extent);
        }
    }

    /// Requests of the application that are not completed.
    pub fn open_requests(&self) -> usize {
        let open = self.requests.iter().flatten().filter(|app| !app.done);
        self.parked.len() + open.count()
    }
}
