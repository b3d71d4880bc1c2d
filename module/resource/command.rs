// SPDX-License-Identifier: GPL-2.0

//! Commands of the administrator, and how long they wait.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::control::RetCode;
use crate::engine::resource::{
    Admin,
    Token, //
};

use super::Resource;

/// How long a command waits until the engine is asked to give it up, in milliseconds.
const PATIENCE_MS: u32 = 30_000;

impl Resource {
    /// Has the worker do a command of the administrator, and waits for its answer. The caller has
    /// its turn ([`Resource::config`]). May sleep.
    ///
    /// `make` gets the volume's position, if there is a volume. A command whose task is killed, or
    /// that a silent disk holds up, waits for nothing any more (`ERR_INTR`,
    /// `SS_IN_TRANSIENT_STATE`); what it has begun goes on.
    pub fn command(
        self: &Arc<Self>,
        device: Option<&Arc<Device>>,
        make: impl FnOnce(usize) -> Admin,
    ) -> RetCode {
        let at = match device {
            Some(device) => self.glance(|core| core.position(device)),
            None => Some(0),
        };
        let Some(at) = at else {
            return RetCode::ERR_MINOR_INVALID;
        };
        let token = Token(self.tokens.fetch_add(1, Ordering::Relaxed));
        self.orders.lock().place(token, make(at));
        self.wake.raise();
        let answer = || (*self.answer.lock()).filter(|(t, _)| *t == token);
        let code = loop {
            match self.wait_for_answer(|| answer().is_some()) {
                Ok(true) => break RetCode::ERR_INTR,
                Err(_) => break self.leave(token, RetCode::ERR_INTR),
                Ok(false) if self.is_held_up() => {
                    break self.leave(token, RetCode::SS_IN_TRANSIENT_STATE);
                }
                // What is not given up depends on a handler, whose time is not over yet.
                Ok(false) => self.orders.lock().give_up(token),
            }
            self.wake.raise();
        };
        answer().map_or(code, |(_, code)| code)
    }

    /// Leaves a command to itself; returns the code.
    fn leave(&self, token: Token, code: RetCode) -> RetCode {
        self.orders.lock().abandon(token);
        self.wake.raise();
        code
    }

    /// Waits until all that was decided is carried out. May sleep.
    ///
    /// Errors: `ERR_INTR` when the task is killed meanwhile; `SS_IN_TRANSIENT_STATE` when a disk
    /// does not answer.
    pub fn settle(&self) -> core::result::Result<(), RetCode> {
        loop {
            match self.events.lock_within(PATIENCE_MS) {
                Ok(Some(_)) => return Ok(()),
                Err(_) => return Err(RetCode::ERR_INTR),
                Ok(None) if self.is_held_up() => return Err(RetCode::SS_IN_TRANSIENT_STATE),
                Ok(None) => {}
            }
        }
    }

    /// Whether a command has to leave because a disk does not answer; not when all has to go.
    fn is_held_up(&self) -> bool {
        !self.leaving.load(Ordering::Acquire) && self.silent_disk().is_some()
    }

    /// A volume whose disk has not answered for as long as commands wait, and for how long that is,
    /// in milliseconds. Any context.
    pub fn silent_disk(&self) -> Option<(Arc<Device>, u64)> {
        self.link.devices().find_map(|device| {
            let since = device.lower()?.busy_since()?;
            let silent_ms = Device::now().since(since);
            (silent_ms >= u64::from(PATIENCE_MS)).then_some((device, silent_ms))
        })
    }

    /// Whether it was answered in time. Errors: `EINTR` when the task is killed.
    fn wait_for_answer(&self, answered: impl FnMut() -> bool) -> Result<bool> {
        if self.leaving.load(Ordering::Acquire) {
            return Ok(self.answered.wait_until_timeout(PATIENCE_MS, answered));
        }
        self.answered
            .wait_until_killable_timeout(PATIENCE_MS, answered)
    }
}
