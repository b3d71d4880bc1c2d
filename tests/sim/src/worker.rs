// SPDX-License-Identifier: GPL-2.0

//! The thread that feeds the resource and carries its effects out, one by one.

use tandem_engine::engine::meta::bitmap::{Bitmap, PAGE_BYTES};
use tandem_engine::engine::meta::superblock::SUPERBLOCK_BYTES;
use tandem_engine::engine::resource::{
    Admin, Call, Effect, Env, Event, Handler, IoKind, Loss, LowerSizes, Notice, Outgoing, Output,
};
use tandem_engine::engine::state::Role;
use tandem_engine::engine::volume::{Effects, ResyncLimits};
use tandem_engine::engine::wire::params::{ProtocolSettings, SyncParams};
use tandem_engine::engine::wire::state::StateReply;
use tandem_engine::engine::wire::Command;

use crate::admin::log_memory;
use crate::disk::MetaWrite;
use crate::event::What;
use crate::node::{Item, MetaOp, Net, Node, RxWait};
use crate::packet::Packet;
use crate::story::Cause;
use crate::world::World;
use crate::Heap;

struct Collect(Vec<Effect>);

impl Output for Collect {
    fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

/// The longest time that a handler takes, in milliseconds.
const HANDLER_MS: u64 = 20;

impl World {
    /// Gives the resource of node `n` an event; `receiver`: the receiver waits for it.
    pub fn post(&mut self, n: usize, event: Event, receiver: bool) {
        let cause = self.cause;
        self.nodes[n].events.push_back((event, receiver, cause));
        self.kick_worker(n);
    }

    pub(crate) fn kick_worker(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if !node.worker_scheduled && !node.worker_busy {
            node.worker_scheduled = true;
            let delay = self.rng.below(self.config.step + 1);
            self.after(n, delay, What::Worker);
        }
    }

    /// One turn: carries one effect out, or takes the next event.
    pub(crate) fn worker(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        node.worker_scheduled = false;
        if node.worker_busy {
            return;
        }
        if let Some(effect) = node.effects.pop_front() {
            self.cause = node.event_cause;
            self.carry_effect(n, effect);
            if !self.nodes[n].worker_busy {
                self.kick_worker(n);
            }
            return;
        }
        if let Some(receiver) = node.handling.take() {
            self.event_done(n, receiver);
        }
        let next = self.next_event(n);
        let Some((event, receiver, cause)) = next else {
            return;
        };
        self.each_volume(|world| world.look_below(n));
        let env = Env {
            now: self.clock(n),
            random: self.rng.draw(),
        };
        let node = &mut self.nodes[n];
        let mut out = Collect(Vec::new());
        let before = node.states();
        node.ending = matches!(event, Event::Disconnected(_));
        node.handled = matches!(event, Event::HandlerDone { .. });
        let told = if self.story.is_some() {
            crate::words::told_event(&event)
        } else {
            String::new()
        };
        if let Event::Admin(_, Admin::Demote { volume }) | Event::Drained { volume } = event {
            self.look_at(volume);
        }
        let node = &mut self.nodes[n];
        // Nobody may begin to write while it is being decided that nobody does.
        let demoting = node.vol.writable
            && matches!(
                event,
                Event::Admin(_, Admin::Demote { .. }) | Event::Drained { .. }
            );
        node.vol.writable &= !demoting;
        node.resource
            .handle(&mut node.records, env, event, &mut out);
        node.effects = out.0.into();
        self.set_timer(n);
        let node = &mut self.nodes[n];
        node.handling = Some(receiver);
        node.vol.writable |= demoting && node.state().role == Role::Primary;
        self.cause = cause;
        self.tell(n, || format!("event {told}"));
        self.nodes[n].event_cause = self.cause;
        self.each_volume(|world| {
            let after = world.nodes[n].state();
            world.watch(n, before[world.volume], after);
        });
        self.kick_worker(n);
    }

    /// What the resource knows of the lower device before it hears of an event.
    fn look_below(&mut self, n: usize) {
        let Node { vol, records, .. } = &mut self.nodes[n];
        let record = &mut records[self.volume];
        record.bits = vol.engine.out_of_sync();
        record.open_count = u32::from(vol.open);
        record.lower = match vol.lower {
            true => vol.lower_sizes(),
            false => LowerSizes::default(),
        };
    }

    /// What the resource hears next: what its volumes have reported goes first.
    fn next_event(&mut self, n: usize) -> Option<(Event, bool, Cause)> {
        let (mut reported, cause) = (None, self.cause);
        self.each_volume(|world| {
            let report = reported.take();
            reported = report.or_else(|| world.reported(n));
        });
        reported
            .map(|event| (event, false, cause))
            .or_else(|| self.nodes[n].events.pop_front())
    }

    /// What the volume has reported last.
    fn reported(&mut self, n: usize) -> Option<Event> {
        let volume = self.volume;
        let vol = &mut self.nodes[n].vol;
        if core::mem::take(&mut vol.resync_finished) {
            let failed = vol.engine.resync_failed();
            return Some(Event::ResyncFinished { volume, failed });
        }
        core::mem::take(&mut vol.verify_finished).then_some(Event::VerifyFinished { volume })
    }

    fn event_done(&mut self, n: usize, receiver: bool) {
        let node = &mut self.nodes[n];
        if receiver {
            if let Some(conn) = &mut node.conn {
                conn.rx_wait = RxWait::Nothing;
                self.kick_receiver(n);
            }
        } else if core::mem::take(&mut node.handled) {
            self.kick_receiver(n);
        }
        let node = &mut self.nodes[n];
        let node_pause = core::mem::take(&mut node.pause);
        if core::mem::take(&mut node.ending) && node.net == Net::Closing {
            node.net = Net::Looking;
            let delay = self.rng.within(1, self.config.reconnect);
            let pause = if self.config.patient { node_pause } else { 0 };
            self.after(n, delay + pause, What::Connecting);
        }
        self.try_establish();
    }

    fn carry_effect(&mut self, n: usize, effect: Effect) {
        // Numbers of volumes are their positions here.
        let volume = match &effect {
            Effect::Send { volume, .. } | Effect::SendStateReply { volume, .. } => {
                Some(usize::from(*volume))
            }
            other => other.volume(),
        };
        if let Some(volume) = volume {
            self.look_at(volume);
        }
        if self.story.is_some() && !matches!(effect, Effect::Changed { .. }) {
            self.tell(n, || format!("  {}", crate::words::effect(&effect)));
        }
        match effect {
            Effect::Answer(token, code) => self.answered(n, token, code),
            Effect::Changed { old, new, .. } => {
                self.nodes[n].vol.writable = new.role == Role::Primary;
                self.tell(n, || crate::words::change(old, new));
                if old.role != Role::Primary && new.role == Role::Primary {
                    self.promoted(n);
                }
            }
            Effect::ConnectionMade | Effect::ConnectionChanged { .. } => {}
            Effect::SetPolicy { policy, .. } => {
                let mut fx = Effects::new();
                self.nodes[n].vol.engine.set_policy(policy, &mut fx);
                self.finish(n, fx);
                self.kick_receiver(n);
                self.kick_resync(n);
            }
            Effect::LoseConnection { .. } => {
                let mut fx = Effects::new();
                self.nodes[n].vol.engine.connection_lost(&mut fx);
                self.finish(n, fx);
            }
            Effect::InstallDisk { .. } => {
                let node = &mut self.nodes[n];
                let tables = node.vol.attaching.take();
                node.vol.engine.set_disk(tables);
                node.vol.lower = true;
                node.vol.broken = false;
            }
            Effect::SetLimits { limits, .. } => self.nodes[n].vol.limits = limits,
            Effect::ReleaseDisk { .. } => self.after(n, 1, What::TryRelease),
            Effect::ResizeBitmap {
                sectors, set_new, ..
            } => self.resize_bitmap(n, sectors, set_new),
            Effect::ResizeLog { slots, .. } => self.resize_log(n, slots),
            Effect::MoveMetadata { .. } => self.fail("external metadata moves".into()),
            Effect::SetCapacity { sectors, .. } => self.nodes[n].vol.engine.set_capacity(sectors),
            Effect::SaveSuperblock { .. } => self.save_superblock(n),
            Effect::SaveBitmap { .. } => self.save_bitmap(n),
            Effect::FillBitmap { set, .. } => {
                self.nodes[n].vol.engine.fill_bitmap(set);
                self.save_bitmap(n);
            }
            Effect::Send { packet, .. } => self.send_rare(n, packet),
            Effect::SendStateReply {
                connection, code, ..
            } => self.send_state_reply(n, connection, code),
            Effect::SendBitmap { .. } => self.queue(n, Item::Bitmap),
            Effect::SetResyncLimits { limits, .. } => self.set_resync_limits(n, limits),
            Effect::StartResync { tells_digests, .. } => {
                self.resync_starts(n);
                let mut fx = Effects::new();
                let now = self.clock(n);
                self.nodes[n]
                    .vol
                    .engine
                    .start_resync(now, tells_digests, &mut fx);
                self.finish(n, fx);
                self.kick_resync(n);
            }
            Effect::StopResync { .. } => {
                let mut fx = Effects::new();
                self.nodes[n].vol.engine.stop_resync(&mut fx);
                self.finish(n, fx);
            }
            Effect::StartVerify { side, range, .. } => self.start_verify(n, side, range),
            Effect::StopVerifyAt { sector, .. } => self.stop_verify_at(n, sector),
            Effect::StopVerify { .. } => self.stop_verify(n),
            Effect::TuneNetwork => self.tune(n),
            // A dead peer is noticed by the link's own timers; disks here know no options; the
            // order is asked for where it counts.
            Effect::Ping => self.ping(n, Command::Ping),
            Effect::TuneDisk { .. } | Effect::SetWriteOrder { .. } => {}
            Effect::StartNetwork => {
                self.nodes[n].net = Net::Looking;
                self.after(n, 1, What::Connecting);
            }
            Effect::CloseNetwork { gently: true } if self.config.parting != 0 => self.part(n),
            Effect::CloseNetwork { .. } => self.close(n, Loss::NetworkFailure),
            Effect::LookAgain { after_ms } => self.nodes[n].pause = after_ms,
            Effect::StopNetwork => self.nodes[n].net = Net::Off,
            Effect::CallHandler { call, handler, .. } => self.call_handler(n, call, handler),
            Effect::Notice { notice, .. } => self.notice(n, notice),
        }
    }

    fn call_handler(&mut self, n: usize, call: Call, handler: Handler) {
        let node = &mut self.nodes[n];
        node.handlers.push(handler);
        let known = node.config.handlers.iter().find(|(h, _)| *h == handler);
        let status = known.map_or(0, |(_, status)| *status);
        if handler == Handler::FencePeer && self.config.fences {
            self.fence(n, call);
        } else if call != Call::UNHEARD {
            let delay = self.rng.within(1, HANDLER_MS);
            self.after(n, delay, What::HandlerDone(call, status));
        }
    }

    fn send_state_reply(&mut self, n: usize, connection: bool, code: i32) {
        let command = if connection {
            Command::ConnStChgReply
        } else {
            Command::StateChgReply
        };
        let reply = StateReply { retcode: code };
        let version = self.version(n);
        let packet = Packet::new(version, command, vec![], |o| reply.emit(command, o));
        self.transmit(n, true, packet);
    }

    /// Options changed that are in force at once.
    fn tune(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if let Some(net) = node.resource.net() {
            node.stream.set_max_epoch_size(net.max_epoch_size);
        }
    }

    fn notice(&mut self, n: usize, notice: Notice) {
        if let Notice::Broken { invariant } = notice {
            self.broke(n, invariant);
        }
        let text = format!("{notice:?}");
        if text.starts_with("BadPacket") && !self.harmed {
            self.fail(format!("{}: {text}", ["a", "b"][n]));
        }
        if let Notice::SplitBrainSolved { .. } = notice {
            // By policy: what one of them had done is given up, and everybody is told.
            self.oracle.split = true;
            self.oracle.parted = false;
        }
        // Old versions cannot tell what became of a resync whose end was lost.
        let refused = text.starts_with("WrongData") || text.starts_with("NeedsProtocol");
        self.oracle.may_look_split |= refused;
        self.nodes[n].notices.push(text);
    }

    /// As fast as it goes: what the options say takes too long here.
    fn set_resync_limits(&mut self, n: usize, wanted: ResyncLimits) {
        let limits = ResyncLimits {
            in_flight: 4096,
            request_bytes: wanted.request_bytes.min(self.config.resync_bytes),
            thin_bytes: wanted.thin_bytes,
            rate: 4 << 20,
            ..ResyncLimits::default()
        };
        let limits = match self.config.settings {
            true => ResyncLimits {
                max_rate: 4 << 20,
                plan_ahead: wanted.plan_ahead,
                fill_target: wanted.fill_target,
                delay_target: wanted.delay_target,
                min_rate: wanted.min_rate,
                ..limits
            },
            false => limits,
        };
        self.nodes[n].vol.engine.set_resync_limits(limits);
    }

    fn send_rare(&mut self, n: usize, packet: Outgoing) {
        if packet.relies_on_metadata() && !self.nodes[n].vol.engine.keeps_metadata() {
            return;
        }
        let version = self.version(n);
        let net = self.nodes[n].resource.net().cloned().unwrap_or_default();
        let disk = self.nodes[n].records[self.volume].options.clone();
        let plain = |command, emit: &dyn Fn(Command, &mut [u8]) -> usize| {
            Packet::new(version, command, vec![], |o| Ok(emit(command, o)))
        };
        let packet = match packet {
            // The simulator's data has no digests: only the packet matters.
            Outgoing::Protocol | Outgoing::ProtocolUpdate => {
                let settings = ProtocolSettings::of(&net);
                let command = match packet {
                    Outgoing::Protocol => Command::Protocol,
                    _ => Command::ProtocolUpdate,
                };
                plain(command, &|c, o| {
                    settings.emit(c, o, version).expect("protocol")
                })
            }
            Outgoing::SyncParams => {
                let params = SyncParams::of(&net, &disk);
                let command = SyncParams::command_in(version);
                plain(command, &|_, o| params.emit(o, version).expect("params"))
            }
            Outgoing::Sizes(p) => plain(Command::Sizes, &|_, o| p.emit(o).expect("sizes")),
            Outgoing::Uuids(p) => plain(Command::Uuids, &|c, o| p.emit(c, o).expect("uuids")),
            Outgoing::State(p) => plain(Command::State, &|c, o| p.emit(c, o).expect("state")),
            Outgoing::SyncUuid(p) => plain(Command::SyncUuid, &|c, o| p.emit(c, o).expect("uuid")),
            Outgoing::StateRequest(p) => {
                plain(Command::StateChgReq, &|c, o| p.emit(c, o).expect("request"))
            }
            Outgoing::ConnStateRequest(p) => plain(Command::ConnStChgReq, &|c, o| {
                p.emit(c, o).expect("request")
            }),
        };
        self.queue(n, Item::Packet(packet));
    }

    fn resize_log(&mut self, n: usize, slots: u16) {
        let volume = &mut self.nodes[n].vol.engine;
        let grows = volume.log_slot(slots - 1).is_none();
        let memory = grows.then(|| log_memory(usize::from(slots)));
        let mut fx = Effects::new();
        volume.resize_log(slots, memory, &mut fx);
        self.finish(n, fx);
    }

    fn resize_bitmap(&mut self, n: usize, sectors: u64, set_new: bool) {
        let filling = Bitmap::<Heap>::filling(set_new);
        let words = vec![filling; Bitmap::<Heap>::words_needed(sectors) as usize];
        let changed = vec![0; Bitmap::<Heap>::changed_needed(sectors) as usize];
        let volume = &mut self.nodes[n].vol.engine;
        let resized = volume.resize_bitmap((words, changed), sectors, set_new);
        if resized.is_err() {
            self.fail("the memory for a bitmap is too small".into());
        }
    }

    fn save_superblock(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let disk = node.records[self.volume].disk.as_ref();
        let Some(disk) = disk.filter(|_| node.vol.engine.keeps_metadata()) else {
            return;
        };
        let mut superblock = disk.superblock;
        superblock.clean = false;
        let mut image = Box::new([0; SUPERBLOCK_BYTES]);
        superblock.emit(&mut image);
        self.write_meta(n, vec![MetaWrite::Superblock(image)], false);
        self.nodes[n].worker_busy = true;
    }

    pub(crate) fn save_bitmap(&mut self, n: usize) {
        let mut writes = Vec::new();
        let mut from = 0;
        while let Some(page) = self.nodes[n].vol.engine.next_changed_page(from) {
            let mut image = Box::new([0; PAGE_BYTES]);
            if self.nodes[n].vol.engine.take_bitmap_page(page, &mut image) {
                writes.push(MetaWrite::Page(page, image));
            }
            from = page + 1;
        }
        if !writes.is_empty() {
            self.write_meta(n, writes, false);
            self.nodes[n].worker_busy = true;
        }
    }

    /// Starts metadata writes, with a flush of the data before them.
    pub(crate) fn write_meta(&mut self, n: usize, writes: Vec<MetaWrite>, for_log: bool) {
        let op = self.next_op();
        let flush = self.nodes[n].vol.disk.begin_flush();
        self.nodes[n].vol.meta.insert(
            op,
            MetaOp {
                writes,
                flush,
                for_log,
            },
        );
        let delay = self.rng.within(1, self.config.meta);
        let node = &mut self.nodes[n];
        node.vol.meta_until = node.vol.meta_until.max(self.now) + delay;
        let delay = node.vol.meta_until - self.now;
        let what = if self.disk_fails(n) {
            What::MetaFailed(op)
        } else {
            What::MetaDone(op)
        };
        self.after(n, delay, what);
    }

    /// Metadata could not be written: some of it may have been.
    pub(crate) fn meta_failed(&mut self, n: usize, op: u64) {
        let Some(op) = self.nodes[n].vol.meta.remove(&op) else {
            return;
        };
        let Self { nodes, rng, .. } = self;
        let node = &mut nodes[n];
        // Either the flush before it failed, or the write.
        let flushed = rng.chance(50);
        if flushed {
            node.vol.disk.end_flush(op.flush);
        }
        for write in &op.writes {
            if flushed {
                node.vol.disk.write_meta(write, Some(rng));
            }
        }
        node.vol.engine.metadata_failed();
        if op.for_log {
            return self.log_failed(n);
        }
        node.worker_busy = false;
        self.after(n, 0, What::DiskTrouble(IoKind::Metadata));
        self.kick_worker(n);
    }

    pub(crate) fn meta_done(&mut self, n: usize, op: u64) {
        let node = &mut self.nodes[n];
        let Some(op) = node.vol.meta.remove(&op) else {
            return;
        };
        if op.for_log && !node.vol.engine.keeps_metadata() {
            // What it relies on was on its way before it, and came to nothing: it is not written.
            return self.log_failed(n);
        }
        self.tell(n, || format!("on disk: {}", op.describe()));
        let node = &mut self.nodes[n];
        node.vol.disk.end_flush(op.flush);
        for write in &op.writes {
            node.vol.disk.write_meta(write, None);
        }
        if op.for_log {
            self.log_step(n);
        } else {
            node.worker_busy = false;
            self.kick_worker(n);
        }
    }

    /// The disk is given up: waits until nothing uses it, then saves the bitmap.
    pub(crate) fn try_release(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let asked = node.vol.flushes != 0 || node.vol.direct_reads != 0;
        let pending = node.vol.engine.counters().local_pending != 0 || asked;
        let busy = pending || node.vol.log_busy || node.worker_busy;
        if busy {
            return self.after(n, 5, What::TryRelease);
        }
        if node.vol.broken {
            // Nothing can be written any more, and what was not flushed may be gone.
            let Self { nodes, rng, .. } = self;
            nodes[n].vol.disk.crash(rng);
            self.disk_died(n);
        }
        let node = &mut self.nodes[n];
        let mut from = 0;
        while let Some(page) = node
            .vol
            .engine
            .next_changed_page(from)
            .filter(|_| !node.vol.broken)
        {
            let mut image = Box::new([0; PAGE_BYTES]);
            node.vol.engine.take_bitmap_page(page, &mut image);
            let flush = node.vol.disk.begin_flush();
            node.vol.disk.end_flush(flush);
            node.vol
                .disk
                .write_meta(&MetaWrite::Page(page, image), None);
            from = page + 1;
        }
        node.vol.engine.set_disk(None);
        node.vol.lower = false;
        // What a verify has found is in a bitmap that goes with the disk.
        self.oracle.verify.give_up();
        let saved = !self.nodes[n].vol.broken;
        self.post(
            n,
            Event::DiskReleased {
                volume: self.volume,
                saved,
            },
            false,
        );
    }

    fn answered(
        &mut self,
        n: usize,
        token: tandem_engine::engine::resource::Token,
        code: tandem_engine::engine::control::RetCode,
    ) {
        let node = &mut self.nodes[n];
        node.answers.push((token, 0, code.0));
    }
}

/// A state as `/proc/drbd` shows it.
pub fn show(s: tandem_engine::engine::state::DeviceState) -> String {
    let flags = [
        (s.susp, 's'),
        (s.aftr_isp, 'a'),
        (s.peer_isp, 'p'),
        (s.user_isp, 'u'),
        (s.susp_nod, 'n'),
        (s.susp_fen, 'f'),
    ];
    let flags: String = flags.iter().filter(|f| f.0).map(|f| f.1).collect();
    format!(
        "{} {}/{} {}/{} {flags}",
        s.conn.as_str(),
        s.role.as_str(),
        s.peer.as_str(),
        s.disk.as_str(),
        s.peer_disk.as_str()
    )
}
