// SPDX-License-Identifier: GPL-2.0

//! What waits for the data socket, behind one lock of the link (`link.rs`).
#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::engine::ids::{
    Extent,
    PeerTicket,
    Ticket, //
};
use crate::engine::resource::Outgoing;
use crate::engine::stream::Placed;
use crate::recorder::TracedStream;
use crate::ring::Ring;
use crate::sys::send_batch::CARGOES;
use crate::sys::short_list::ShortList;

/// Items that may wait: all requests of eight volumes and more.
const ITEMS: usize = 32768;

/// Rare packets that may wait.
const PACKETS: usize = 1024;

/// Something to put on the data socket, other than a write of the application.
#[derive(Clone, Copy)]
pub enum Item {
    /// A read that the peer shall serve.
    Read {
        /// The volume's number.
        volume: u16,
        /// The request.
        ticket: Ticket,
    },
    /// A range that the peer shall mark.
    OutOfSync {
        /// The volume's number.
        volume: u16,
        /// The range.
        extent: Extent,
    },
    /// A range that we want resync data for.
    ResyncRequest {
        /// The volume's number.
        volume: u16,
        /// The range.
        extent: Extent,
    },
    /// The same, and the peer may say that it is all zeroes.
    ThinRequest {
        /// The volume's number.
        volume: u16,
        /// The range.
        extent: Extent,
    },
    /// A block that the peer shall tell the digest of.
    VerifyRequest {
        /// The volume's number.
        volume: u16,
        /// The range.
        extent: Extent,
    },
    /// What follows may need the digests that the options name now.
    Digests,
    /// The end of an epoch.
    Barrier(u32),
    /// Data that the peer wanted.
    Reply {
        /// The volume's number.
        volume: u16,
        /// The request.
        ticket: PeerTicket,
    },
    /// The next of the rare packets.
    Packet,
    /// The whole bitmap.
    Bitmap {
        /// The volume's number.
        volume: u16,
    },
}

/// Writes of one volume that follow one another.
pub struct Writes {
    /// The volume's number.
    pub volume: u16,
    /// The requests and their epochs, in order.
    pub list: ShortList<(Ticket, u32), CARGOES>,
}

/// What the sender of the data socket has to do next.
pub enum Next {
    /// As many writes as are sent together.
    Writes(Writes),
    /// Anything else.
    Item(Item),
}

#[derive(Clone, Copy)]
enum Queued {
    Write {
        volume: u16,
        ticket: Ticket,
        epoch: u32,
    },
    Item(Item),
}

/// What waits for the data socket.
pub struct Outbox {
    /// The order of writes.
    pub stream: TracedStream,
    /// The sender sleeps for long: no barrier is due until somebody wakes it.
    pub dozing: bool,
    /// In the order in which it is sent.
    queued: Ring<Queued>,
    /// What each [`Item::Packet`] stands for, with the number of its volume.
    pub packets: Ring<(u16, Outgoing)>,
}

impl Outbox {
    /// Nothing waits. May sleep.
    pub fn new(stream: TracedStream) -> Result<Self> {
        Ok(Self {
            stream,
            dozing: false,
            queued: Ring::new(ITEMS)?,
            packets: Ring::new(PACKETS)?,
        })
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Queues something; false when there is no place.
    #[must_use]
    pub fn push(&mut self, item: Item) -> bool {
        self.queued.push(Queued::Item(item))
    }

    /// Queues a write in the order of the stream, behind a barrier if one is due; false when there
    /// is no place.
    #[must_use]
    pub fn push_write(&mut self, volume: u16, ticket: Ticket) -> bool {
        let Placed { barrier, epoch } = self.stream.place_write();
        barrier.is_none_or(|number| self.push(Item::Barrier(number)))
            && self.queued.push(Queued::Write {
                volume,
                ticket,
                epoch,
            })
    }

    /// Queues the barrier that is due, if any; false when there is no place.
    #[must_use]
    pub fn queue_barrier(&mut self) -> bool {
        let due = self.stream.take_barrier();
        due.is_none_or(|number| self.push(Item::Barrier(number)))
    }

    /// Takes the first item if it is a write of that volume.
    fn pop_write_of(&mut self, volume: u16) -> Option<(Ticket, u32)> {
        let of_it = |next: &Queued| matches!(next, Queued::Write { volume: v, .. } if *v == volume);
        match self.queued.pop_if(of_it)? {
            Queued::Write { ticket, epoch, .. } => Some((ticket, epoch)),
            Queued::Item(_) => None,
        }
    }

    /// What comes next, and whether more is queued behind it.
    pub fn next(&mut self) -> Option<(Next, bool)> {
        let next = match self.queued.pop()? {
            Queued::Write {
                volume,
                ticket,
                epoch,
            } => {
                let mut list = ShortList::new();
                let mut write = Some((ticket, epoch));
                while let Some(queued) = write {
                    // There is a place, as the list was not full.
                    let _ = list.push(queued);
                    write = match list.is_full() {
                        false => self.pop_write_of(volume),
                        true => None,
                    };
                }
                Next::Writes(Writes { volume, list })
            }
            Queued::Item(item) => Next::Item(item),
        };
        Some((next, !self.is_empty()))
    }
}
