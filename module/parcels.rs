// SPDX-License-Identifier: GPL-2.0

//! What was kept by slot for requests that the engine is done with, on its way out.
#![forbid(unsafe_code)]

use crate::desk::Desk;
use crate::engine::volume::{
    VolumeEffect,
    MAX_EFFECTS, //
};
use crate::sys::bio::{
    BlkStatus,
    MasterBio, //
};
use crate::sys::page::PageVec;
use crate::sys::short_list::ShortList;

/// What belongs to one effect.
pub enum Parcel {
    /// Nothing was kept.
    Nothing,
    /// The bio from above.
    Bio(MasterBio),
    /// The payload of a request of the peer; held to be given back.
    Payload(#[expect(dead_code, reason = "dropping it gives the pages back")] PageVec),
}

impl Parcel {
    /// Answers a request of the application. Any context.
    pub fn complete(self, ok: bool) {
        if let Self::Bio(bio) = self {
            bio.complete(if ok {
                BlkStatus::OK
            } else {
                BlkStatus::IO_ERROR
            });
        }
    }
}

/// What belongs to the effects `Complete`, `Release` and `ReleasePeer` of one step, in their order.
pub struct Parcels {
    parcels: ShortList<Parcel, MAX_EFFECTS>,
    /// A submitter's write is alone on its way to the peer, or was a moment ago.
    pub alone: bool,
}

impl Parcels {
    /// Nothing yet.
    #[inline]
    pub const fn new() -> Self {
        Self {
            parcels: ShortList::new(),
            alone: false,
        }
    }

    /// Takes what belongs to an effect: without the lock of `desk`, its slot may belong to others.
    #[inline]
    pub fn take(&mut self, desk: &mut Desk, effect: &VolumeEffect) {
        let kept = match effect {
            VolumeEffect::Complete { ticket, .. } | VolumeEffect::Release(ticket) => {
                desk.take_request(*ticket).map(Parcel::Bio)
            }
            VolumeEffect::ReleasePeer(ticket) => desk.take_payload(*ticket).map(Parcel::Payload),
            _ => return,
        };
        // There are as many places as effects.
        let _ = self.parcels.push(kept.unwrap_or(Parcel::Nothing));
    }

    /// What belongs to the next of those effects.
    #[inline]
    pub fn next(&mut self) -> Parcel {
        self.parcels.pop().unwrap_or(Parcel::Nothing)
    }

    /// All effects were carried out.
    #[inline]
    pub fn clear(&mut self) {
        self.parcels.clear();
    }
}
