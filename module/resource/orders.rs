// SPDX-License-Identifier: GPL-2.0

//! What the administrator's commands want of a resource's worker.
//!
//! The worker carries out what a command decides, so that a disk that hangs holds up the worker,
//! and not a process that somebody wants to kill.
#![forbid(unsafe_code)]

use crate::engine::resource::{
    Admin,
    Event,
    Token, //
};

/// Orders, until the worker takes them. There is one command at a time; a former one that was
/// killed may have left a last word.
#[derive(Default)]
pub(super) struct Orders {
    /// What is to be said of a command that was taken.
    word: Option<Event>,
    command: Option<(Token, Admin)>,
}

impl Orders {
    /// Wants a command to be done.
    pub(super) fn place(&mut self, token: Token, command: Admin) {
        self.command = Some((token, command));
    }

    /// Wants the engine to give a command up that it has waited for long enough. One that was not
    /// taken waits on.
    pub(super) fn give_up(&mut self, token: Token) {
        if !self.waits(token) {
            self.word = Some(Event::GiveUp(token));
        }
    }

    /// Nobody waits for a command any more. One that was not taken is not done.
    pub(super) fn abandon(&mut self, token: Token) {
        if self.waits(token) {
            self.command = None;
        } else {
            self.word = Some(Event::Abandon(token));
        }
    }

    fn waits(&self, token: Token) -> bool {
        self.command.as_ref().is_some_and(|(t, _)| *t == token)
    }

    /// What the engine is to be told next.
    pub(super) fn take(&mut self) -> Option<Event> {
        let command = |(token, command)| Event::Admin(token, command);
        self.word
            .take()
            .or_else(|| self.command.take().map(command))
    }
}
