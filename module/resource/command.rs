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
    /// `make` gets the volume's position, if there is a volume. A command whose task is killed
    /// waits for nothing any more; what it has begun goes on.
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
        let killed = loop {
            match self.wait_for_answer(|| answer().is_some()) {
                Ok(true) => break false,
                // What is not given up depends on a handler, whose time is not over yet.
                Ok(false) => self.orders.lock().give_up(token),
                Err(_) => break true,
            }
            self.wake.raise();
        };
        if killed {
            self.orders.lock().abandon(token);
            self.wake.raise();
        }
        answer().map_or(RetCode::ERR_INTR, |(_, code)| code)
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
