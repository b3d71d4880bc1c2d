// SPDX-License-Identifier: GPL-2.0

//! What the lock of a device guards: the volume's engine, and what is kept by slot for it.
//!
//! The engine's slots, and what belongs to them, change together; so they have one lock.
#![forbid(unsafe_code)]

use core::ops::{
    Deref,
    DerefMut, //
};

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::engine::ids::{
    PeerTicket,
    Ticket, //
};
use crate::engine::volume::WantedAck;
use crate::lower::Lower;
use crate::recorder::TracedVolume;
use crate::storage::array;
use crate::sys::bio::{
    BioHold,
    MasterBio, //
};
use crate::sys::page::PageVec;
use crate::told::Told;

/// The volume's engine, and what is kept by slot. Nothing here sleeps.
pub struct Desk {
    /// In a box, as it is too large to be moved about on the stack.
    volume: KBox<TracedVolume>,
    /// The bios from above, by slot.
    requests: KVVec<Option<MasterBio>>,
    /// The payloads of peer requests, by slot.
    payloads: KVVec<Option<PageVec>>,
    /// The digests that the peer told for its requests, by slot.
    told: KVVec<Told>,
    /// The lower disk, while one is in use.
    lower: Option<Arc<Lower>>,
    /// The last write of the application was alone on its way to the peer.
    was_alone: bool,
}

impl Deref for Desk {
    type Target = TracedVolume;

    #[inline]
    fn deref(&self) -> &TracedVolume {
        &self.volume
    }
}

impl DerefMut for Desk {
    #[inline]
    fn deref_mut(&mut self) -> &mut TracedVolume {
        &mut self.volume
    }
}

impl Desk {
    /// With places for so many application requests and requests of the peer. May sleep.
    pub fn new(volume: KBox<TracedVolume>, requests: usize, peers: usize) -> Result<Self> {
        Ok(Self {
            volume,
            requests: nothing(requests)?,
            payloads: nothing(peers)?,
            told: array(peers, Told::default())?,
            lower: None,
            was_alone: false,
        })
    }

    /// A write of the application has come: whether it is one of those that come one at a time, so
    /// that none will be there soon to be sent with it.
    ///
    /// One that is alone behind others that were not is the first of many: their submitter was told
    /// that they are done, and comes back with as many. With protocol A none waits for the peer, so
    /// that the next may be there at once.
    #[inline]
    pub fn comes_alone(&mut self) -> bool {
        let waits = self.volume.policy().ack != WantedAck::None;
        let alone = waits && self.volume.is_alone_at_peer();
        core::mem::replace(&mut self.was_alone, alone) && alone
    }

    /// The lower disk, while one is in use.
    #[inline]
    pub fn lower(&self) -> Option<Arc<Lower>> {
        self.lower.clone()
    }

    /// Puts a lower disk in use, or takes it out of use; returns the former one, to be dropped
    /// without the lock.
    pub fn set_lower(&mut self, lower: Option<Arc<Lower>>) -> Option<Arc<Lower>> {
        core::mem::replace(&mut self.lower, lower)
    }

    /// Leaves a bio in the slot that the engine gave it.
    #[inline]
    pub fn put_request(&mut self, ticket: Ticket, bio: MasterBio) {
        if let Some(place) = self.requests.get_mut(ticket.index as usize) {
            *place = Some(bio);
        }
    }

    #[inline]
    fn kept(&self, index: u32) -> Option<&MasterBio> {
        self.requests.get(index as usize)?.as_ref()
    }

    /// The bio in a slot.
    #[inline]
    pub fn request(&self, ticket: Ticket) -> Option<&MasterBio> {
        self.kept(ticket.index)
    }

    /// How long ago the bio in that slot came, in milliseconds.
    pub fn age_ms(&self, index: u32) -> Option<u64> {
        self.kept(index).map(|bio| u64::from(bio.age_ms()))
    }

    /// Holds the bio in a slot, to be used without the lock.
    #[inline]
    pub fn hold(&self, ticket: Ticket) -> Option<BioHold> {
        self.request(ticket).map(MasterBio::hold)
    }

    /// Takes the bio of a request.
    #[inline]
    pub fn take_request(&mut self, ticket: Ticket) -> Option<MasterBio> {
        self.requests.get_mut(ticket.index as usize)?.take()
    }

    /// Leaves the payload of a peer request.
    #[inline]
    pub fn put_payload(&mut self, ticket: PeerTicket, pages: PageVec) {
        if let Some(place) = self.payloads.get_mut(ticket.index as usize) {
            *place = Some(pages);
        }
    }

    /// Takes the payload of a peer request.
    #[inline]
    pub fn take_payload(&mut self, ticket: PeerTicket) -> Option<PageVec> {
        self.payloads.get_mut(ticket.index as usize)?.take()
    }

    /// Leaves the digest that the peer told for a request.
    pub fn put_told(&mut self, ticket: PeerTicket, told: Told) {
        if let Some(place) = self.told.get_mut(ticket.index as usize) {
            *place = told;
        }
    }

    /// The digest that the peer told for a request.
    pub fn told(&self, ticket: PeerTicket) -> Told {
        let told = self.told.get(ticket.index as usize);
        told.map_or(Told::default(), |told| *told)
    }
}

/// So many empty places.
fn nothing<T>(count: usize) -> Result<KVVec<Option<T>>> {
    let mut places = KVVec::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..count {
        places.push(None, GFP_KERNEL)?;
    }
    Ok(places)
}
