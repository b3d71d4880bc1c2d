// SPDX-License-Identifier: GPL-2.0

//! The driver of one volume: carries its steps' effects out on the disk and the link.

use tandem_engine::engine::broken::Invariant;
use tandem_engine::engine::ids::{Extent, Instant, PeerTicket, Ticket};
use tandem_engine::engine::meta::activity_log_block::BLOCK_BYTES;
use tandem_engine::engine::meta::bitmap::PAGE_BYTES;
use tandem_engine::engine::resource::{Event, IoKind};
use tandem_engine::engine::volume::{Answer, Effects, Operation, Report, VolumeEffect};
use tandem_engine::engine::wire::data::BlockDesc;
use tandem_engine::engine::wire::Command;

use crate::disk::{crc32c, MetaWrite};
use crate::event::What;
use crate::node::{AppKind, Conn, Item, RxWait};
use crate::packet::Packet;
use crate::story::NAMES;
use crate::world::World;

impl World {
    /// Carries the effects of a volume's step out, and what follows from them.
    pub(crate) fn finish(&mut self, n: usize, mut fx: Effects) {
        let mut more = self.nodes[n].vol.engine.has_work();
        loop {
            let effects: Vec<VolumeEffect> = fx.take().collect();
            for effect in effects {
                self.carry(n, effect);
            }
            if !more {
                return;
            }
            self.nodes[n].vol.engine.resume(&mut fx);
            more = self.nodes[n].vol.engine.has_work();
        }
    }

    pub(crate) fn carry(&mut self, n: usize, effect: VolumeEffect) {
        match effect {
            VolumeEffect::SubmitLocal(ticket) => self.submit_local(n, ticket),
            VolumeEffect::QueueWrite(ticket) => {
                let placed = self.nodes[n].stream.place_write();
                if let Some(barrier) = placed.barrier {
                    self.queue(n, Item::Barrier(barrier));
                }
                self.queue(n, Item::Write(ticket, placed.epoch));
            }
            VolumeEffect::QueueRead(ticket) => self.queue(n, Item::Read(ticket)),
            VolumeEffect::QueueOutOfSync(extent) => self.queue_out_of_sync(n, extent),
            VolumeEffect::QueueResyncRequest(extent) => {
                self.queue_request(n, Command::RsDataRequest, extent);
            }
            VolumeEffect::QueueThinRequest(extent) => {
                self.queue_request(n, Command::RsThinReq, extent);
            }
            VolumeEffect::QueueVerifyRequest(extent) => {
                self.queue_request(n, Command::OvRequest, extent);
            }
            VolumeEffect::QueueReply(ticket) => self.queue(n, Item::Reply(ticket)),
            VolumeEffect::CloseEpoch(epoch) => {
                self.nodes[n].stream.close_epoch(epoch);
                self.kick_sender(n);
            }
            VolumeEffect::FlushStream => {
                self.nodes[n].stream.flush();
                self.kick_sender(n);
            }
            VolumeEffect::Complete { ticket, ok } => {
                let slot = &mut self.nodes[n].vol.requests[ticket.index as usize];
                if let Some(app) = slot {
                    app.done = true;
                    let app = app.clone();
                    self.completed(n, app, ok);
                }
            }
            VolumeEffect::Release(ticket) => {
                self.nodes[n].vol.requests[ticket.index as usize] = None;
            }
            VolumeEffect::WriteLog => self.after(n, 0, What::WriteLog),
            VolumeEffect::Room => {
                if !self.nodes[n].vol.parked.is_empty() {
                    self.after(n, 0, What::Unpark);
                }
                let early = |conn: &Conn| conn.rx_wait == RxWait::Early;
                if self.nodes[n].conn.as_ref().is_some_and(early) {
                    self.kick_receiver(n);
                }
            }
            VolumeEffect::SubmitPeer(ticket) => self.submit_peer(n, ticket),
            VolumeEffect::Ack {
                kind,
                extent,
                block_id,
                sequence,
            } => self.queue_ack(n, kind, extent, block_id, sequence),
            VolumeEffect::PeerWriteFinished { epoch } => self.peer_write_finished(n, epoch),
            VolumeEffect::PeerWritePutOff { epoch } => self.peer_write_put_off(n, epoch),
            VolumeEffect::PutOff(epoch) => self.put_off(n, epoch),
            VolumeEffect::ReleasePeer(ticket) => {
                self.nodes[n].vol.payloads[ticket.index as usize] = None;
                self.kick_receiver(n);
            }
            VolumeEffect::Report(report) => self.report(n, report),
        }
    }

    fn queue_out_of_sync(&mut self, n: usize, extent: Extent) {
        let desc = BlockDesc {
            sector: extent.sector,
            size: extent.bytes,
        };
        let command = Command::OutOfSync;
        let version = self.version(n);
        let packet = Packet::new(version, command, vec![], |o| desc.emit(command, o));
        self.queue(n, Item::Packet(packet));
    }

    fn report(&mut self, n: usize, report: Report) {
        match report {
            Report::ResyncFinished => {
                self.nodes[n].vol.resync_finished = true;
                self.kick_worker(n);
            }
            Report::IoError { write } => {
                let kind = if write { IoKind::Write } else { IoKind::Read };
                self.after(n, 0, What::DiskTrouble(kind));
            }
            Report::DiskTimeout => self.after(n, 0, What::DiskTrouble(IoKind::Timeout)),
            Report::VerifyFinished => self.verify_finished(n),
            Report::Different { start, sectors } => {
                self.tell(n, || format!("tells {start}+{sectors} to differ"));
            }
            Report::PeerWriteFailed => {}
            Report::Congested(limit) => {
                self.post(
                    n,
                    Event::Congested {
                        volume: self.volume,
                        limit,
                    },
                    false,
                );
            }
            Report::Relieved => self.post(
                n,
                Event::Relieved {
                    volume: self.volume,
                },
                false,
            ),
            Report::TooLarge => self.post(
                n,
                Event::TooLarge {
                    volume: self.volume,
                },
                false,
            ),
            Report::Drained => self.post(
                n,
                Event::Drained {
                    volume: self.volume,
                },
                false,
            ),
            Report::Broken(invariant) => self.broke(n, invariant),
        }
    }

    /// The engine found a rule of its own broken: that is a failure, whatever follows.
    pub(crate) fn broke(&mut self, n: usize, invariant: Invariant) {
        self.fail(format!("{}: broken: {invariant}", NAMES[n]));
    }

    /// Whether the present operation of a node's disk fails.
    pub(crate) fn disk_fails(&mut self, n: usize) -> bool {
        let rate = self.disk_errors[n];
        let fails = rate != 0 && self.rng.below(1000) < rate;
        if fails {
            self.tell(n, || "DISK ERROR".into());
            self.nodes[n].vol.broken = true;
            self.nodes[n].vol.suspect = true;
            self.disk_broke(n);
        }
        fails
    }

    pub(crate) fn submit_local(&mut self, n: usize, ticket: Ticket) {
        let delay = self.rng.within(1, self.config.disk);
        let op = self.next_op();
        let node = &mut self.nodes[n];
        let watched = node.vol.engine.policy().disk_timeout_ms != 0;
        let starts = !watched || node.vol.engine.local_starts(ticket, true);
        self.begin_watch(n);
        let node = &mut self.nodes[n];
        let Some(app) = node.vol.requests[ticket.index as usize]
            .clone()
            .filter(|_| node.vol.lower && starts)
        else {
            return self.after(n, 0, What::LocalFailed(ticket));
        };
        match app.kind {
            AppKind::Write(_) => {
                let request = node.vol.engine.local_request(ticket);
                let operation = request.map_or(Operation::Write, |(operation, _)| operation);
                let data = self.contents_after(n, operation, app.extent, app.data);
                if !self.nodes[n].vol.disk.submit(op, app.extent, data) {
                    self.fail(format!("overlapping writes at the disk of {}", NAMES[n]));
                }
                if app.flags.fua {
                    self.nodes[n].vol.disk.force(op);
                }
                self.check_logged(n, app.extent);
                let what = if self.disk_fails(n) {
                    What::WriteFailed(Ok(ticket), op)
                } else {
                    What::LocalWrite(ticket, op)
                };
                self.after(n, delay, what);
            }
            AppKind::Flush(_) | AppKind::Read(_) if self.disk_fails(n) => {
                self.after(n, delay, What::LocalFailed(ticket));
            }
            AppKind::Flush(_) => {
                let node = &mut self.nodes[n];
                let flushed = node.vol.disk.begin_flush();
                self.after(n, delay, What::LocalFlush(ticket, flushed));
            }
            AppKind::Read(_) => self.after(n, delay, What::LocalRead(ticket)),
        }
    }

    /// Lets somebody look after the disk while it has something.
    fn begin_watch(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let policy = node.vol.engine.policy();
        let due = policy.disk_timeout_ms != 0 && !policy.abandon;
        if due && !node.vol.watching && node.vol.engine.counters().local_pending != 0 {
            node.vol.watching = true;
            let ms = u64::from(policy.disk_timeout_ms / 4).clamp(1, 500);
            self.after(n, ms, What::Watch);
        }
    }

    pub(crate) fn watch_disk(&mut self, n: usize) {
        let mut fx = Effects::new();
        let now = Instant(self.now);
        self.nodes[n].vol.watching = false;
        self.nodes[n].vol.engine.watch_disk(now, &mut fx);
        self.finish(n, fx);
        self.begin_watch(n);
    }

    pub(crate) fn check_logged(&mut self, n: usize, extent: Extent) {
        if !self.nodes[n].vol.engine.policy().log {
            return;
        }
        let logged = self.nodes[n].vol.disk.log_extents();
        for e in extent.sector / 8192..=(extent.end() - 1) / 8192 {
            if !logged.contains(&(e as u32)) {
                self.fail(format!(
                    "{} writes to extent {e} that is not in the log",
                    NAMES[n]
                ));
            }
        }
    }

    pub(crate) fn submit_peer(&mut self, n: usize, ticket: PeerTicket) {
        let delay = self.rng.within(1, self.config.disk);
        let op = self.next_op();
        self.begin_watch(n);
        let node = &mut self.nodes[n];
        let view = node.vol.engine.peer_view(ticket).filter(|_| node.vol.lower);
        let Some(view) = view else {
            return self.after(n, 0, What::PeerFailed(ticket));
        };
        if view.answer == Answer::Request && self.rng.chance(self.config.scarce) {
            // No memory for it.
            let mut fx = Effects::new();
            self.nodes[n].vol.engine.digest_unread(ticket, &mut fx);
            return self.finish(n, fx);
        }
        if view.operation == Operation::Read {
            let what = if self.disk_fails(n) {
                What::PeerFailed(ticket)
            } else {
                What::PeerRead(ticket)
            };
            return self.after(n, delay, what);
        }
        let data = node.vol.payloads[ticket.index as usize]
            .take()
            .unwrap_or_default();
        let whole = data.len() as u32 * 512 == view.extent.bytes;
        let data = self.contents_after(n, view.operation, view.extent, data);
        if !whole || !self.nodes[n].vol.disk.submit(op, view.extent, data) {
            self.fail(format!("bad write of the peer at the disk of {}", NAMES[n]));
        }
        if view.flags.fua {
            self.nodes[n].vol.disk.force(op);
        }
        let what = if self.disk_fails(n) {
            What::WriteFailed(Err(ticket), op)
        } else {
            What::PeerWrite(ticket, op)
        };
        self.after(n, delay, what);
    }

    pub(crate) fn log_begin(&mut self, n: usize) {
        let mut block = Box::new([0; BLOCK_BYTES]);
        let Some(write) = self.nodes[n].vol.engine.log_prepare(&mut block, crc32c) else {
            return;
        };
        let mut pages = Vec::new();
        for &page in write.pages() {
            let mut image = Box::new([0; PAGE_BYTES]);
            if self.nodes[n].vol.engine.take_bitmap_page(page, &mut image) {
                pages.push(MetaWrite::Page(page, image));
            }
        }
        let node = &mut self.nodes[n];
        node.vol.log_busy = true;
        node.vol.log_block = Some(MetaWrite::Log(write.block, block));
        if pages.is_empty() {
            self.log_step(n);
        } else {
            self.write_meta(n, pages, true);
        }
    }

    /// A transaction of the log could not be written: the disk has to go.
    pub(crate) fn log_failed(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        node.vol.log_busy = false;
        node.vol.log_block = None;
        let mut fx = Effects::new();
        self.nodes[n].vol.engine.log_committed(false, &mut fx);
        self.finish(n, fx);
        self.after(n, 0, What::DiskTrouble(IoKind::Metadata));
    }

    /// The pages, or the block, of a log transaction are on disk.
    pub(crate) fn log_step(&mut self, n: usize) {
        match self.nodes[n].vol.log_block.take() {
            Some(block) => self.write_meta(n, vec![block], true),
            None => {
                self.nodes[n].vol.log_busy = false;
                let mut fx = Effects::new();
                self.nodes[n].vol.engine.log_committed(true, &mut fx);
                self.finish(n, fx);
                if !self.nodes[n].vol.log_busy {
                    self.log_begin(n);
                }
            }
        }
    }
}
