// SPDX-License-Identifier: GPL-2.0

//! Metadata moves on its device: the device grew and internal metadata has to be at its end, or
//! the activity log gets another shape.
//!
//! At each moment one superblock is found where an attach looks for it, and what it says is true.
//! Where the new parts lie apart from all old ones, they are written first, and the superblock
//! that makes them count comes last; until then the old ones are whole. Where they lie upon
//! each other that cannot be: there a superblock comes first that says that all blocks are out of
//! sync and that the log says nothing. A power cut then costs a full resync, and no data.
//!
//! Source: `drivers/block/drbd/drbd_nl.c` (`drbd_determine_dev_size`), which always does the
//! latter.

use super::geometry::{
    Geometry,
    BLOCK_SECTORS, //
};
use super::superblock::{
    Flags,
    Superblock, //
};

/// From where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Where the metadata is.
    pub from: Geometry,
    /// Where it shall be.
    pub to: Geometry,
}

/// One step of a move. What it writes is durable before the next one begins, and no other
/// metadata is written meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveStep {
    /// Writes [`Superblock::in_doubt`] to the new place; from here on that place counts.
    Doubt,
    /// Writes all pages of the bitmap to the new place.
    Bitmap,
    /// Fills the ring of the log at the new place (`ActivityLog::refresh`).
    Log,
    /// Writes the superblock to the new place; from here on that place counts.
    Superblock,
}

impl Relocation {
    /// Whether anything but the sizes in the superblock changes.
    pub fn is_needed(&self) -> bool {
        let places = |g: &Geometry| (g.superblock, g.al_offset, g.bm_offset, g.ring);
        places(&self.from) != places(&self.to)
    }

    /// Whether no new part lies where an old one is.
    fn is_apart(&self) -> bool {
        let range = |g: &Geometry| {
            let first = g.superblock.saturating_add_signed(lowest(g));
            let size = u64::from(g.md_size).max(BLOCK_SECTORS);
            (first, first.saturating_add(size))
        };
        let (old, new) = (range(&self.from), range(&self.to));
        new.0 >= old.1 || new.1 <= old.0
    }

    /// The steps, in order.
    pub fn steps(&self) -> &'static [MoveStep] {
        use MoveStep::{
            Bitmap,
            Doubt,
            Log,
            Superblock, //
        };
        if self.is_apart() {
            &[Bitmap, Log, Superblock]
        } else {
            &[Doubt, Bitmap, Log, Superblock]
        }
    }
}

/// Sectors from the superblock to the first part.
fn lowest(geometry: &Geometry) -> i64 {
    i64::from(geometry.al_offset.min(geometry.bm_offset).min(0))
}

impl Superblock {
    /// The superblock while bitmap and log are being written: whoever finds it takes all blocks
    /// as out of sync.
    #[must_use]
    pub fn in_doubt(&self) -> Self {
        Self {
            flags: self.flags.with(Flags::FULL_SYNC).with(Flags::AL_DISABLED),
            ..*self
        }
    }

    /// Says where the parts are.
    pub fn set_geometry(&mut self, geometry: &Geometry) {
        self.md_size = geometry.md_size;
        self.al_offset = geometry.al_offset;
        self.bm_offset = geometry.bm_offset;
        self.ring = geometry.ring;
    }
}

#[cfg(test)]
#[path = "relocation_tests.rs"]
mod tests;
