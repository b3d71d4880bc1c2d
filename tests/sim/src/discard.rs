// SPDX-License-Identifier: GPL-2.0

//! Discards and writes of zeroes.
//!
//! A zero has a name, too: that of the request that made it. So it is judged like other contents,
//! which one came later. The names are not on the wire.

use tandem_engine::engine::ids::Extent;
use tandem_engine::engine::volume::{DiscardLimits, Effects, Operation, PartAction, PeerView};
use tandem_engine::engine::wire::data::BlockDesc;
use tandem_engine::engine::wire::Command;

use crate::node::AppKind;
use crate::packet::Packet;
use crate::receive::Trouble;
use crate::rng::Rng;
use crate::world::World;

/// Whether the contents of a packet's range follow it on the wire.
pub(crate) fn carries_blocks(command: Command) -> bool {
    !matches!(
        command,
        Command::Trim | Command::Zeroes | Command::RsDeallocated
    )
}

/// Whether a disk ignores a sector of a discard: it is not in a whole unit, or the disk takes no
/// discards at all.
fn ignores(limits: &DiscardLimits, discard: Extent, sector: u64) -> bool {
    let unit = u64::from(limits.granularity.max(1));
    let offset = u64::from(limits.alignment) % unit;
    let Some(behind) = sector.checked_sub(offset) else {
        return true;
    };
    let start = sector - behind % unit;
    let sectors = discard.sectors();
    limits.most == 0
        || sectors > u64::from(limits.most)
        || start < discard.sector
        || start + unit > discard.end()
}

impl World {
    /// What a write, discard or write of zeroes leaves in a range, whose own contents are `data`.
    pub(crate) fn contents_after(
        &self,
        n: usize,
        operation: Operation,
        extent: Extent,
        data: Vec<u32>,
    ) -> Vec<u32> {
        if operation == Operation::Write {
            return data;
        }
        let node = &self.nodes[n];
        let limits = node.config.discard;
        let mut contents = node.vol.disk.read(extent);
        for part in limits.parts(operation, extent) {
            for sector in part.extent.sector..part.extent.end() {
                let at = (sector - extent.sector) as usize;
                let kept = part.action == PartAction::Discard
                    && (node.config.forgets_nothing || ignores(&limits, part.extent, sector));
                if let (Some(to), Some(&zero), false) = (contents.get_mut(at), data.get(at), kept) {
                    *to = zero;
                }
            }
        }
        contents
    }

    /// The application discards a range, or writes zeroes to it; returns the name of the zeroes.
    pub fn discard(&mut self, n: usize, operation: Operation, sector: u64, sectors: u32) -> u32 {
        let extent = Extent::new(sector, sectors * 512);
        let id = self.oracle.start(extent);
        self.oracle.zeroes.insert(id);
        let data = vec![id; sectors as usize];
        self.tell(n, || {
            format!("application: {operation:?} {id} of {sector}+{sectors}")
        });
        self.issue(n, id, AppKind::Write(operation), extent, data);
        id
    }

    /// The application discards, or writes zeroes, as far as the device takes that.
    pub(crate) fn discard_some(&mut self, n: usize, sector: u64, sectors: u32, rng: &mut Rng) {
        let unmap = rng.chance(50);
        let operation = match rng.chance(50) {
            true => Operation::Discard,
            false => Operation::Zeroes { unmap },
        };
        let room = self.nodes[n].vol.engine.capacity().saturating_sub(sector);
        let most = self.most_sectors(n, operation).min(room as u32);
        if most != 0 {
            self.discard(n, operation, sector, (3 * sectors).min(most));
        }
    }

    /// The largest request of that kind that the device of a node takes now, in sectors.
    pub fn most_sectors(&self, n: usize, operation: Operation) -> u32 {
        let limits = self.nodes[n].vol.limits;
        let bytes = match operation {
            Operation::Discard => limits.discard,
            Operation::Zeroes { .. } => limits.zeroes,
            _ => limits.write,
        };
        bytes / 512
    }

    /// The target asked for resync data that may be told to be zeroes. True if it is.
    pub(crate) fn tells_zeroes(&mut self, n: usize, view: PeerView, data: &[u32]) -> bool {
        let zero = !data.is_empty() && data.iter().all(|id| self.oracle.zeroes.contains(id));
        if zero {
            let command = Command::RsDeallocated;
            let desc = BlockDesc {
                sector: view.extent.sector,
                size: view.extent.bytes,
            };
            let packet = Packet::new(self.version(n), command, data.to_vec(), |o| {
                desc.emit(command, o)
            });
            self.thin_answers += 1;
            self.transmit(n, false, packet);
        }
        zero
    }

    pub(crate) fn receive_zeroes(
        &mut self,
        n: usize,
        desc: BlockDesc,
        names: &[u32],
    ) -> Result<(), Trouble> {
        let extent = Extent::new(desc.sector, desc.size);
        let mut fx = Effects::new();
        let taken = self.nodes[n].vol.engine.resync_zeroes(extent, &mut fx);
        if let Ok(Some(ticket)) = taken {
            self.nodes[n].vol.payloads[ticket.index as usize] = Some(names.to_vec());
            self.nodes[n].vol.resynced += u64::from(extent.bytes / 4096);
        }
        self.finish(n, fx);
        taken.map_err(|e| Trouble::Protocol(format!("zeroes {extent:?}: {e:?}")))?;
        self.kick_resync(n);
        Ok(())
    }
}
