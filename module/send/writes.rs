// SPDX-License-Identifier: GPL-2.0

//! Writes of the application: those that are queued one after the other are sent together.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::ids::Ticket;
use crate::engine::volume::{
    Operation,
    SendView, //
};
use crate::engine::wire::data::TrimRequest;
use crate::engine::wire::Command;
use crate::outbox::Writes;
use crate::sys::bio::BioHold;
use crate::sys::digest::DIGEST_MAX;
use crate::sys::payload::Payload;
use crate::sys::send::Transfer;
use crate::sys::send_batch::{
    Cargo,
    CARGOES, //
};
use crate::sys::short_list::ShortList;

use super::{
    header_of,
    transfer_of,
    Sender, //
};

/// A write that the engine lets go.
struct Begun {
    ticket: Ticket,
    epoch: u32,
    /// `None`: it was given up since it was queued.
    view: Option<SendView>,
    /// Keeps the data in place, whatever happens to the request meanwhile.
    held: Option<BioHold>,
}

/// Nobody looks at the data of these any more.
// Apart, as what carries effects out takes much of the stack.
#[inline(never)]
fn all_sent(device: &Arc<Device>, mut tickets: ShortList<Ticket, CARGOES>) {
    while !tickets.is_empty() {
        device.feed(|volume, fx| {
            // What one of them has brought about is carried out before the next.
            while fx.is_empty() {
                let Some(ticket) = tickets.pop() else {
                    return;
                };
                volume.send_done(ticket, fx);
            }
        });
    }
}

impl Sender<'_> {
    /// Sends writes of one volume, with one call of the socket if they are small.
    pub(super) fn writes(&mut self, mut writes: Writes) -> Result {
        let Some(device) = self.resource.link.device(writes.volume) else {
            return Ok(());
        };
        let now = Device::now();
        let mut begun = ShortList::<Begun, CARGOES>::new();
        let mut desk = device.volume.lock();
        while let Some((ticket, epoch)) = writes.list.pop() {
            let view = desk.send_begin(ticket, epoch, now);
            let held = view.and_then(|_| desk.hold(ticket));
            let write = Begun {
                ticket,
                epoch,
                view,
                held,
            };
            // There are as many places as in the list.
            let _ = begun.push(write);
        }
        drop(desk);
        let mut tickets = ShortList::<Ticket, CARGOES>::new();
        let mut sent = Ok(());
        while let Some(Begun {
            ticket,
            epoch,
            view,
            held,
        }) = begun.pop()
        {
            let Some(view) = view else {
                device.must(self.resource.link.retract_write(epoch));
                continue;
            };
            let _ = tickets.push(ticket);
            sent = sent.and_then(|()| self.write(writes.volume, ticket, view, held.ok_or(EIO)?));
        }
        sent = sent.and_then(|()| self.flush(self.more));
        // Should it have failed before: from here on nobody looks at the data.
        self.batch.clear();
        all_sent(&device, tickets);
        sent
    }

    fn write(&mut self, volume: u16, ticket: Ticket, view: SendView, held: BioHold) -> Result {
        if matches!(
            view.operation,
            Operation::Discard | Operation::Zeroes { .. }
        ) {
            return self.trim(volume, ticket, view);
        }
        let header = header_of(self.session, ticket, view);
        // What a digest was made of should be what is sent.
        let transfer = match self.integrity {
            Some(_) => Transfer::Copy,
            None => transfer_of(view),
        };
        self.blocks(
            volume,
            Command::Data,
            header,
            Cargo::Request(held),
            transfer,
        )
    }

    /// Tells when the application changed its data while it was sent: the peer will find a wrong
    /// digest, and the network is not to blame.
    pub(super) fn check_unchanged(
        &mut self,
        sector: u64,
        payload: &Payload<'_>,
        sent: &[u8; DIGEST_MAX],
    ) -> Result {
        let Some(integrity) = &mut self.integrity else {
            return Ok(());
        };
        let mut now = [0; DIGEST_MAX];
        integrity.of_payload(payload, &mut now)?;
        if now != *sent {
            self.resource.complain(format_args!(
                "Digest mismatch, buffer modified by upper layers during write: {}s +{}",
                sector,
                payload.remaining()
            ));
        }
        Ok(())
    }

    fn trim(&mut self, volume: u16, ticket: Ticket, view: SendView) -> Result {
        let (command, flags) = view.packet(self.session.agreed());
        let trim = TrimRequest {
            sector: view.extent.sector,
            block_id: ticket.block_id(),
            seq_num: view.sequence,
            flags,
            size: view.extent.bytes,
        };
        self.packet(volume, command, |c, out, _| trim.emit(c, out))
    }
}
