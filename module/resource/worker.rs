// SPDX-License-Identifier: GPL-2.0

//! The worker of a resource: does what commands want, tells the engine what the peer answered and
//! what interrupts found out, and looks at the clock.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::resource::{
    may_sync,
    Event, //
};
use crate::engine::state::{
    ConnState,
    DiskState, //
};
use crate::notify;
use crate::session::Session;
use crate::sys::thread::NoIo;

use super::Resource;

/// How often the worker looks around, in milliseconds.
const TICK_MS: u32 = 1000;

impl Resource {
    /// Goes on until the resource stops.
    pub(super) fn work(self: &Arc<Self>) {
        while !self.stopping.load(Ordering::Acquire) {
            let tick = !self.wake.wait_timeout(TICK_MS);
            while self.obey() {}
            if let Some(session) = self.session() {
                while self.heed(&session) {}
            }
            for device in self.link.devices() {
                self.look_at(&device);
                if let Some(waits) = self.dependency_news(&device) {
                    self.post_for(&device, |volume| Event::Depends { volume, waits });
                }
                if tick {
                    notify::progress(&device);
                }
            }
            if let Some(session) = self.session() {
                session.pool.trim();
                session.end_parting(self);
            }
            self.post(Event::Tick);
        }
    }

    /// Does what a command wants of the worker. False if none wants anything. May sleep.
    fn obey(self: &Arc<Self>) -> bool {
        let _no_io = NoIo::enter();
        let mut queue = self.events.lock();
        let mut orders = self.orders.lock();
        let Some(event) = orders.take() else {
            return false;
        };
        self.decide(event, &mut queue);
        // A command that is killed finds its order here, or decided upon.
        drop(orders);
        self.follow(&mut queue);
        true
    }

    /// Tells the engine what the peer answered, unless the session is over. False if it answered
    /// nothing. May sleep.
    pub fn heed(self: &Arc<Self>, session: &Session) -> bool {
        let mut heeded = false;
        self.post_with(|_| {
            let current = (*self.session.lock())
                .as_ref()
                .is_some_and(|s| core::ptr::eq(&**s, session));
            let answer = session.answers.lock().take().filter(|_| current);
            heeded = answer.is_some();
            answer
        });
        heeded
    }

    fn look_at(self: &Arc<Self>, device: &Arc<Device>) {
        if device.take_resync_finished() {
            let failed = device.volume.lock().resync_failed();
            self.post_for(device, |volume| Event::ResyncFinished { volume, failed });
        }
        if device.take_verify_finished() {
            self.post_for(device, |volume| Event::VerifyFinished { volume });
        }
        if device.take_drained() {
            self.post_for(device, |volume| Event::Drained { volume });
        }
        if let Some(limit) = device.take_congested() {
            self.post_for(device, |volume| Event::Congested { volume, limit });
        }
        if device.take_relieved() {
            self.post_for(device, |volume| Event::Relieved { volume });
        }
        if device.volume.lock().peer_is_overdue(Device::now()) {
            self.post_for(device, |volume| Event::Unanswered { volume });
        }
        if device.take_too_large() {
            self.post_for(device, |volume| Event::TooLarge { volume });
        }
        for invariant in device.take_broken() {
            self.post_for(device, |volume| Event::Broken { volume, invariant });
        }
        if device.take_flush_unsupported() {
            self.post(Event::FlushUnsupported);
        }
        if let Some(saved) = device.release.take_done() {
            self.post_for(device, |volume| Event::DiskReleased { volume, saved });
        }
        if let Some(kind) = device.take_io_error() {
            self.post_for(device, |volume| Event::IoError { volume, kind });
        }
    }

    /// Whether the resync of a device has to wait for another one, if that is news. May sleep.
    pub(super) fn dependency_news(&self, device: &Arc<Device>) -> Option<bool> {
        let waits = !may_sync(device.minor, |minor| self.driver.dependency(minor));
        let state = device.glance(|record| record.state)?;
        // A device that is not in use at all waits for nothing.
        let unused = state.conn == ConnState::StandAlone && state.disk == DiskState::Diskless;
        (state.aftr_isp != waits && !unused).then_some(waits)
    }
}
