// SPDX-License-Identifier: GPL-2.0

//! Which requests in flight touch the same sectors.
//!
//! Two overlapping writes must reach both disks in the same order, a resync must not copy a block
//! while a write changes it. So every request in flight is entered here, and one that overlaps an
//! earlier one waits.
//!
//! The table is a hash over regions of 1 MiB. No request with a payload is larger than that, so
//! each lies in one or two regions. Larger ranges without payload (discards of the peer, up to
//! 128 MiB) are rare; they are on a list of their own that every search looks at too.

use core::ops::DerefMut;

use crate::engine::ids::Extent;

use super::table::NIL;

/// Sectors of one region, as a shift: 2048 sectors are 1 MiB.
const REGION_SHIFT: u32 = 11;

/// Who entered a range: the index spaces of application and peer requests are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// An application request's slot.
    Local(u32),
    /// A peer request's slot.
    Peer(u32),
}

/// One entry of the table: a range in one region.
#[derive(Clone, Copy, Debug)]
pub struct OverlapNode {
    extent: Extent,
    arrival: u64,
    next: u32,
    prev: u32,
    bucket: u32,
}

impl Default for OverlapNode {
    fn default() -> Self {
        Self {
            extent: Extent::default(),
            arrival: 0,
            next: NIL,
            prev: NIL,
            bucket: NIL,
        }
    }
}

/// The table. `nodes` holds two per request, `heads` is the hash (a power of two).
#[derive(Debug)]
pub(super) struct Overlaps<N, H> {
    nodes: N,
    heads: H,
    /// The list of ranges that are larger than a region.
    large: u32,
    local_slots: u32,
    entered: u32,
}

/// The bucket of ranges that are larger than a region.
const LARGE: u32 = NIL - 1;

fn is_large(extent: Extent) -> bool {
    extent.end() - extent.sector > 1 << REGION_SHIFT
}

impl<N, H> Overlaps<N, H>
where
    N: DerefMut<Target = [OverlapNode]>,
    H: DerefMut<Target = [u32]>,
{
    pub(super) fn new(nodes: N, mut heads: H, local_slots: u32) -> Self {
        heads.fill(NIL);
        Self {
            nodes,
            heads,
            large: NIL,
            local_slots,
            entered: 0,
        }
    }

    /// Enters the range of `owner`. `arrival` is its position in the order of arrival.
    pub(super) fn insert(&mut self, owner: Owner, extent: Extent, arrival: u64) {
        if extent.sectors() == 0 {
            return;
        }
        self.entered += 1;
        if is_large(extent) {
            return self.link(self.node_index(owner), LARGE, extent, arrival);
        }
        let first = self.bucket(extent.sector >> REGION_SHIFT);
        let last = self.bucket((extent.end() - 1) >> REGION_SHIFT);
        self.link(self.node_index(owner), first, extent, arrival);
        if last != first {
            self.link(self.node_index(owner) + 1, last, extent, arrival);
        }
    }

    /// Takes the range of `owner` out again, if it is in.
    pub(super) fn remove(&mut self, owner: Owner) {
        let index = self.node_index(owner);
        let present = self.unlink(index);
        self.unlink(index + 1);
        if present {
            self.entered = self.entered.saturating_sub(1);
        }
    }

    /// Whether something that arrived before `arrival` overlaps `extent`.
    pub(super) fn earlier(&self, extent: Extent, arrival: u64) -> bool {
        self.entered != 0 && self.find(extent, |node| node.arrival < arrival).is_some()
    }

    /// Some entry that overlaps `extent` and satisfies `wanted`.
    pub(super) fn find_owner(
        &self,
        extent: Extent,
        mut wanted: impl FnMut(Owner) -> bool,
    ) -> Option<Owner> {
        let mut found = None;
        self.find_indexed(extent, |index, _| {
            let owner = self.owner(index);
            if wanted(owner) {
                found = Some(owner);
            }
            found.is_some()
        });
        found
    }

    fn find(&self, extent: Extent, mut wanted: impl FnMut(&OverlapNode) -> bool) -> Option<u32> {
        self.find_indexed(extent, |_, node| wanted(node))
    }

    fn find_indexed(
        &self,
        extent: Extent,
        mut wanted: impl FnMut(u32, &OverlapNode) -> bool,
    ) -> Option<u32> {
        if extent.sectors() == 0 {
            // Also what a peer names that is less than a sector.
            return None;
        }
        let mut search = |bucket: u32| {
            let mut index = self.head(bucket);
            while let Some(node) = self.nodes.get(index as usize) {
                if node.extent.overlaps(extent) && wanted(index, node) {
                    return Some(index);
                }
                index = node.next;
            }
            None
        };
        if self.large != NIL {
            if let Some(found) = search(LARGE) {
                return Some(found);
            }
        }
        if is_large(extent) {
            return (0..self.heads.len() as u32).find_map(search);
        }
        let first = self.bucket(extent.sector >> REGION_SHIFT);
        let last = self.bucket((extent.end() - 1) >> REGION_SHIFT);
        search(first).or_else(|| if last == first { None } else { search(last) })
    }

    fn head(&self, bucket: u32) -> u32 {
        match bucket {
            LARGE => self.large,
            _ => self.heads.get(bucket as usize).copied().unwrap_or(NIL),
        }
    }

    fn set_head(&mut self, bucket: u32, index: u32) {
        if bucket == LARGE {
            self.large = index;
        } else if let Some(head) = self.heads.get_mut(bucket as usize) {
            *head = index;
        }
    }

    fn bucket(&self, region: u64) -> u32 {
        // Fibonacci hashing: neighbouring regions fall far apart.
        let hash = (region.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32;
        hash & (self.heads.len() as u32).wrapping_sub(1)
    }

    fn node_index(&self, owner: Owner) -> u32 {
        2 * match owner {
            Owner::Local(index) => index,
            Owner::Peer(index) => self.local_slots + index,
        }
    }

    fn owner(&self, node: u32) -> Owner {
        let slot = node / 2;
        match slot.checked_sub(self.local_slots) {
            None => Owner::Local(slot),
            Some(index) => Owner::Peer(index),
        }
    }

    fn link(&mut self, index: u32, bucket: u32, extent: Extent, arrival: u64) {
        let head = self.head(bucket);
        let Some(node) = self.nodes.get_mut(index as usize) else {
            return;
        };
        *node = OverlapNode {
            extent,
            arrival,
            next: head,
            prev: NIL,
            bucket,
        };
        if let Some(next) = self.nodes.get_mut(head as usize) {
            next.prev = index;
        }
        self.set_head(bucket, index);
    }

    fn unlink(&mut self, index: u32) -> bool {
        let Some(node) = self.nodes.get_mut(index as usize) else {
            return false;
        };
        let OverlapNode {
            next, prev, bucket, ..
        } = *node;
        if bucket == NIL {
            return false;
        }
        *node = OverlapNode::default();
        if let Some(node) = self.nodes.get_mut(next as usize) {
            node.prev = prev;
        }
        match self.nodes.get_mut(prev as usize) {
            Some(node) => node.next = next,
            None => self.set_head(bucket, next),
        }
        true
    }
}

#[cfg(test)]
#[path = "overlap_tests.rs"]
mod tests;
