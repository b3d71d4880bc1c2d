// SPDX-License-Identifier: GPL-2.0

//! Carries out what the engine decided for a resource.
#![forbid(unsafe_code)]

use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::meta::relocation::Relocation;
use crate::engine::meta::superblock::Superblock;
use crate::engine::resource::{
    Call,
    Effect,
    Handler,
    Loss,
    Outgoing, //
};
use crate::engine::state::ConnState;
use crate::engine::throttle::Throttle;
use crate::engine::volume::{
    VerifyRange,
    VerifySide, //
};
use crate::lower::Lower;
use crate::notify;
use crate::session::Session;
use crate::sys::log::Level;
use crate::tuning::Tuning;
use crate::{
    send_meta,
    volume_thread, //
};

use super::{
    Core,
    Resource, //
};

impl Resource {
    /// Carries out one effect. Returns the call of a handler that could not be made.
    #[inline(never)]
    pub(super) fn carry_out(self: &Arc<Self>, effect: Effect) -> Option<Call> {
        match effect {
            // Whoever carries out all that was decided keeps it until then.
            Effect::Answer(..) => {}
            Effect::Changed { volume, old, new } => {
                if let Some(device) = self.link.device_at(volume) {
                    notify::changed(self, &mut self.core.lock(), &device, old, new);
                }
            }
            Effect::ConnectionMade => self.glance(|core| notify::connection_made(self, core)),
            Effect::ConnectionChanged { old, new } => {
                self.glance(|core| notify::connection(self, core, old, new));
            }
            Effect::CallHandler {
                call,
                volume,
                handler,
            } => return self.call_handler(call, volume, handler),
            Effect::Notice { volume, notice } => {
                self.glance(|core| notify::notice(self, core, volume, notice));
            }
            Effect::Send { volume, packet } => self.queue_packet(volume, packet),
            Effect::SendStateReply {
                volume,
                connection,
                code,
            } => {
                if let Some(session) = self.session() {
                    // A failure ends the session by itself.
                    let _ = send_meta::send_state_reply(&session, volume, connection, code);
                }
            }
            Effect::Ping => self.want_ping(),
            Effect::SetWriteOrder { order } => self.set_write_order(order),
            Effect::TuneNetwork => self.tune_network(),
            Effect::StartNetwork => self.start_network(),
            Effect::CloseNetwork { gently } => self.close_network(gently),
            Effect::LookAgain { after_ms } => self.receiver.look_again(after_ms),
            Effect::StopNetwork => self.receiver.leave(),
            Effect::SetPolicy { .. }
            | Effect::LoseConnection { .. }
            | Effect::InstallDisk { .. }
            | Effect::SetLimits { .. }
            | Effect::ReleaseDisk { .. }
            | Effect::ResizeBitmap { .. }
            | Effect::ResizeLog { .. }
            | Effect::MoveMetadata { .. }
            | Effect::TuneDisk { .. }
            | Effect::SetCapacity { .. }
            | Effect::SaveSuperblock { .. }
            | Effect::SaveBitmap { .. }
            | Effect::FillBitmap { .. }
            | Effect::SendBitmap { .. }
            | Effect::SetResyncLimits { .. }
            | Effect::StartResync { .. }
            | Effect::StopResync { .. }
            | Effect::StartVerify { .. }
            | Effect::StopVerifyAt { .. }
            | Effect::StopVerify { .. } => self.carry_out_for_volume(effect),
        }
        None
    }

    /// Returns the call if it could not be made.
    fn call_handler(&self, call: Call, volume: Option<usize>, handler: Handler) -> Option<Call> {
        // Positions are the same until all effects are carried out.
        let number = volume
            .and_then(|at| self.link.device_at(at))
            .map(|d| d.number);
        let gone = volume.is_some() && number.is_none();
        if !gone && self.handlers.queue(call, number, handler) {
            return None;
        }
        let name = handler.as_str();
        self.log(format_args!("too many handlers wait: {name} is not called"));
        Some(call)
    }

    fn carry_out_for_volume(self: &Arc<Self>, effect: Effect) {
        let Some(volume) = effect.volume() else {
            return;
        };
        let Some(device) = self.link.device_at(volume) else {
            return;
        };
        match effect {
            Effect::SetPolicy { policy, .. } => {
                if let Some(lower) = device.lower().filter(|_| policy.abandon) {
                    lower.give_up(true);
                }
                device.feed_deep(|volume, fx| volume.set_policy(policy, fx));
                device.room.wake_all();
            }
            Effect::LoseConnection { .. } => {
                device.feed_deep(|volume, fx| volume.connection_lost(fx));
                // From here on the volume queues nothing for the former connection.
                self.drop_items();
            }
            Effect::InstallDisk { .. } => device.install_disk(),
            Effect::SetLimits { limits, .. } => device.set_limits(limits),
            Effect::ReleaseDisk { .. } => device.begin_release(),
            Effect::TuneDisk { .. } => {
                let options = |core: &Core| core.records.get(volume).map(|r| r.options.clone());
                if let Some(options) = self.glance(options) {
                    device.tune_disk(&options);
                }
            }
            Effect::SendBitmap { .. } => self.link.queue_bitmap(device.number),
            Effect::SetResyncLimits { limits, .. } => {
                device.volume.lock().set_resync_limits(limits);
            }
            Effect::StartResync { tells_digests, .. } => {
                self.start_resync(&device, tells_digests);
            }
            Effect::StopResync { .. } => device.feed_deep(|volume, fx| volume.stop_resync(fx)),
            Effect::StartVerify { side, range, .. } => {
                self.start_verify(&device, side, range);
            }
            Effect::StopVerifyAt { sector, .. } => {
                device.feed_deep(|volume, fx| volume.stop_verify_at(sector, fx));
            }
            Effect::StopVerify { .. } => stop_verify(&device),
            metadata => self.carry_out_for_metadata((volume, &device), metadata),
        }
    }

    /// Queues a packet, unless it relies on metadata that could not be written.
    fn queue_packet(&self, volume: u16, packet: Outgoing) {
        let device = self.link.device(volume);
        let saved = || device.is_none_or(|device| device.volume.lock().keeps_metadata());
        if !packet.relies_on_metadata() || saved() {
            self.link.queue_packet(volume, packet);
        }
    }

    /// Sizes, bitmap and superblock.
    fn carry_out_for_metadata(&self, (volume, device): (usize, &Arc<Device>), effect: Effect) {
        match effect {
            Effect::ResizeBitmap {
                sectors, set_new, ..
            } => device.resize_bitmap(sectors, set_new),
            Effect::ResizeLog { slots, .. } => device.resize_log(slots),
            Effect::MoveMetadata { relocation, .. } => {
                self.move_metadata(volume, device, &relocation);
            }
            Effect::SetCapacity { sectors, .. } => device.set_capacity(sectors),
            Effect::SaveSuperblock { .. } => self.save_superblock(volume, device),
            Effect::SaveBitmap { .. } => {
                if let Err(error) = volume_thread::save_bitmap(device) {
                    device.report_metadata_error(error);
                }
            }
            Effect::FillBitmap { set, .. } => {
                device.fill_bitmap(set);
                if let Err(error) = volume_thread::save_bitmap(device) {
                    device.report_metadata_error(error);
                }
            }
            _ => {}
        }
    }

    fn start_resync(&self, device: &Arc<Device>, tells_digests: bool) {
        // Before any request or answer: the sender needs the digest for these.
        self.link.queue_digests();
        // A former resync's end must not end this one.
        device.take_resync_finished();
        device.feed_deep(|volume, fx| volume.start_resync(Device::now(), tells_digests, fx));
        device.wake.raise();
    }

    fn start_verify(&self, device: &Arc<Device>, side: VerifySide, range: VerifyRange) {
        // Before any request or answer: the sender needs the digest for these.
        self.link.queue_digests();
        // A former verify's end must not end this one.
        device.take_verify_finished();
        let now = Device::now();
        let first = device.volume.lock().start_verify(side, range, now);
        if side == VerifySide::Source {
            notify::log_device(
                Level::Info,
                device,
                format_args!("Starting Online Verify from sector {first}"),
            );
        }
        device.wake.raise();
    }

    /// What has to be on a disk that is in use, and keeps its metadata.
    fn to_save(&self, volume: usize, device: &Device) -> Option<(Superblock, Arc<Lower>)> {
        let superblock = self.glance(|core| {
            let disk = core.records.get(volume)?.disk.as_ref()?;
            Some(disk.superblock)
        })?;
        let lower = device.lower()?;
        let keeps = device.volume.lock().keeps_metadata();
        keeps.then_some((superblock, lower))
    }

    fn save_superblock(&self, volume: usize, device: &Device) {
        let Some((superblock, lower)) = self.to_save(volume, device) else {
            return;
        };
        if let Err(error) = lower.write_superblock(&superblock) {
            device.volume.lock().metadata_failed();
            device.report_metadata_error(error);
        }
    }

    fn move_metadata(&self, volume: usize, device: &Device, relocation: &Relocation) {
        let Some((superblock, lower)) = self.to_save(volume, device) else {
            return;
        };
        let line = format_args!("Writing the whole bitmap, the metadata moves");
        notify::log_device(Level::Info, device, line);
        let moved = volume_thread::move_metadata(device, &lower, &superblock, relocation);
        if let Err(error) = moved {
            device.volume.lock().metadata_failed();
            device.report_metadata_error(error);
        }
    }

    fn want_ping(&self) {
        if let Some(session) = self.session() {
            session.ping(&self.link, true);
        }
    }

    fn tune_network(&self) {
        if let Some(session) = self.session() {
            self.tune(&session);
        }
    }

    fn put_in_force(&self, session: &Session, tuning: Tuning) {
        session.tune(tuning);
        self.link.set_max_epoch_size(tuning.max_epoch_size);
    }

    /// Puts the options as they are in force for a session that begins. May sleep.
    pub fn tune(&self, session: &Session) {
        if let Some(tuning) = self.glance(|core| core.decisions.net().map(Tuning::of)) {
            self.put_in_force(session, tuning);
        }
    }

    /// Who has the node connect anew is told again what is wrong.
    fn start_network(&self) {
        *self.throttle.lock() = Throttle::new();
        self.receiver.begin();
    }

    fn close_network(&self, gently: bool) {
        if self.glance(|core| core.decisions.conn()) == ConnState::Disconnecting {
            self.receiver.leave();
        }
        let Some(session) = self.session() else {
            return;
        };
        match gently {
            true => session.part(self),
            false => session.fail(self, Loss::NetworkFailure),
        }
    }
}

fn stop_verify(device: &Arc<Device>) {
    if let Some(sector) = device.feed_deep(|volume, fx| volume.stop_verify(fx)) {
        notify::log_device(
            Level::Info,
            device,
            format_args!("Online Verify reached sector {sector}"),
        );
    }
}
