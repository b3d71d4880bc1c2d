// SPDX-License-Identifier: GPL-2.0

//! A write that its submitter sends by itself.
//!
//! One that is alone gains nothing from the queue: handing it to the sender costs more than sending
//! it. As soon as others are on their way it goes through the queue, where the sender gathers them.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::ids::Ticket;
use crate::engine::resource::Loss;
use crate::engine::stream::Placed;
use crate::engine::volume::SendView;
use crate::engine::wire::data::Barrier;
use crate::engine::wire::Command;
use crate::session::{
    send_patiently,
    Session, //
};
use crate::sys::bio::{
    BioHold,
    BioOp, //
};
use crate::sys::stack;

use super::{
    encode,
    header_of,
    send_all_of,
    transfer_of,
    Patience, //
};

/// Bytes of a barrier and the header of a write, in any version.
const HEAD: usize = 96;

/// Bytes of stack that a submitter has to have left: for us, the network (with filters, tunnels and
/// stacked links), and the disks below, which may be stacked, too. A file system that writes back
/// has more; who reclaims memory, or writes to a resource on top of another one, may not.
const STACK_NEEDED: usize = 8 << 10;

/// So much more than the data has to fit: what the socket counts for its headers and pages.
const OVERHEAD: usize = 4096;

impl Device {
    /// Sends a write that has come alone past the queue, if nothing is queued and the socket has
    /// room for it. False if it has to be queued. May sleep, but not for the peer.
    pub fn send_at_once(self: &Arc<Self>, ticket: Ticket) -> bool {
        if stack::left() < STACK_NEEDED {
            return false;
        }
        let Some(session) = self.resource.session() else {
            return false;
        };
        if session.is_down() || !session.plain.load(Ordering::Acquire) {
            return false;
        }
        let Some(_sending) = session.data_lock.try_lock() else {
            return false;
        };
        let held = self.volume.lock().hold(ticket);
        let Some(held) = held.filter(|held| held.op() == BioOp::Write && held.has_data()) else {
            return false;
        };
        if session.data.room() < 2 * held.bytes() as usize + OVERHEAD {
            return false;
        }
        let Some(placed) = self.link().place_at_once() else {
            return false;
        };
        self.send_placed(&session, ticket, held, placed);
        true
    }

    fn send_placed(
        self: &Arc<Self>,
        session: &Session,
        ticket: Ticket,
        held: BioHold,
        placed: Placed,
    ) {
        let now = Self::now();
        let view = self.volume.lock().send_begin(ticket, placed.epoch, now);
        let sent = self.send_write(session, ticket, &held, placed.barrier, view);
        drop(held);
        if view.is_some() {
            self.feed(|volume, fx| volume.send_done(ticket, fx));
        } else {
            self.must(self.link().retract_write(placed.epoch));
        }
        if sent.is_err() {
            session.fail(&self.resource, Loss::BrokenPipe);
        }
    }

    fn send_write(
        &self,
        session: &Session,
        ticket: Ticket,
        held: &BioHold,
        barrier: Option<u32>,
        view: Option<SendView>,
    ) -> Result {
        let version = session.version();
        let mut patience = Patience::new(self.link(), session);
        let mut head = [0; HEAD];
        let mut len = 0;
        if let Some(barrier) = barrier {
            let barrier = Barrier { barrier };
            len = encode(version, &mut head, 0, Command::Barrier, 0, |c, out, _| {
                barrier.emit(c, out)
            })?;
        }
        if let Some(view) = view {
            let header = header_of(session, ticket, view);
            let to = head.get_mut(len..).ok_or(EINVAL)?;
            let (number, bytes) = (self.number, held.bytes());
            len += encode(version, to, number, Command::Data, bytes, |c, out, _| {
                header.emit(c, out)
            })?;
        }
        let head = head.get(..len).ok_or(EINVAL)?;
        send_patiently(&session.data, head, view.is_some(), || patience.lasts())?;
        match view {
            Some(view) => {
                let transfer = transfer_of(view);
                send_all_of(session, held.payload(), transfer, false, &mut patience)
            }
            None => Ok(()),
        }
    }
}
