// SPDX-License-Identifier: GPL-2.0

//! What becomes of a volume and of the connection when a rule of our own was broken.

use crate::engine::broken::Invariant;

use super::attach::IoKind;
use super::effect::Loss;
use super::event::Event;
use super::notice::Notice;
use super::Step;

impl Event {
    /// The volume that it is about, by position, if it is about one that has to be there.
    fn volume(&self) -> Option<usize> {
        match *self {
            Event::BitmapReceived { volume }
            | Event::BitmapSent { volume }
            | Event::ResyncFinished { volume, .. }
            | Event::VerifyFinished { volume }
            | Event::IoError { volume, .. }
            | Event::Broken { volume, .. }
            | Event::Drained { volume }
            | Event::Congested { volume, .. }
            | Event::Relieved { volume }
            | Event::Depends { volume, .. }
            | Event::TooLarge { volume }
            | Event::Unanswered { volume }
            | Event::DiskReleased { volume, .. } => Some(volume),
            // Of commands, some are about the resource; packets have the peer's number.
            Event::Admin(..)
            | Event::Packet { .. }
            | Event::GiveUp(_)
            | Event::Abandon(_)
            | Event::Connecting
            | Event::Features(_)
            | Event::Login(_)
            | Event::Handshaken { .. }
            | Event::Trouble(_)
            | Event::Disconnected(_)
            | Event::HandlerDone { .. }
            | Event::FlushUnsupported
            | Event::PingAnswered
            | Event::Tick => None,
        }
    }
}

impl Step<'_> {
    /// Whether the volume of an event is there. What handles the event may rely on it.
    pub(super) fn knows_volume_of(&mut self, event: &Event) -> bool {
        let known = event
            .volume()
            .is_none_or(|volume| volume < self.volumes.len());
        if !known {
            self.give_up_what_is_uncertain(None, Invariant::Volume);
        }
        known
    }

    /// The data path or the driver of a volume found an invariant broken.
    pub(super) fn broken(&mut self, volume: usize, invariant: Invariant) {
        self.give_up_what_is_uncertain(Some(volume), invariant);
    }

    /// Tells once, and lets a new attach or a new handshake find out what is true.
    fn give_up_what_is_uncertain(&mut self, volume: Option<usize>, invariant: Invariant) {
        if self.resource.broken.raise(invariant) == 1 {
            self.tell(volume, Notice::Broken { invariant });
        }
        let gives_up = invariant.gives_up();
        if gives_up.connection {
            self.trouble(Loss::ProtocolError);
        }
        if let Some(volume) = volume.filter(|_| gives_up.disk) {
            self.io_error(volume, IoKind::Metadata);
        }
    }
}
