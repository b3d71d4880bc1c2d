// SPDX-License-Identifier: GPL-2.0

//! A picture of both nodes and their disks at the end of a run, as text.

use std::fmt::Write as _;

use tandem_engine::engine::ids::BLOCK_SECTORS;
use tandem_engine::engine::meta::activity_log::EXTENT_BITS;

use crate::packet::contents;
use crate::story::NAMES;
use crate::worker::show;
use crate::world::World;

/// Width of a block's contents, in characters.
const WIDTH: usize = 26;

const LEGEND: &str = "\
blocks of 4 KiB that were written; contents are names of writes, NxM is M sectors of write N
  d dirty: not on stable storage    o out of sync in memory    O out of sync on disk
  l covered by the log on disk      ! the disks differ         ? ... and nobody knows
";

/// What the picture shows of one block on one node.
struct Half {
    text: String,
    known: bool,
}

impl World {
    /// Both nodes and their disks, block by block.
    pub fn picture(&mut self) -> String {
        let mut text = String::new();
        for n in 0..2 {
            text.push_str(&self.node_line(n));
        }
        let mut blocks: Vec<u64> = self
            .oracle
            .touched
            .iter()
            .map(|s| s / BLOCK_SECTORS)
            .collect();
        blocks.sort_unstable();
        blocks.dedup();
        text.push_str(LEGEND);
        let _ = writeln!(
            text,
            "   block       {:w$}       {:w$}",
            "a",
            "b",
            w = WIDTH
        );
        for block in blocks {
            let halves = [0, 1].map(|n| self.half(n, block));
            let differs = self.range(0, block) != self.range(1, block);
            let mark = match (differs, halves.iter().any(|half| half.known)) {
                (false, _) => ' ',
                (true, true) => '!',
                (true, false) => '?',
            };
            let [a, b] = halves;
            let _ = writeln!(text, "{block:8} {mark} {}  {}", a.text, b.text.trim_end());
        }
        text
    }

    fn node_line(&self, n: usize) -> String {
        let node = &self.nodes[n];
        let uuids = node.vol.disk.superblock().uuids;
        let state = if node.up {
            show(node.state())
        } else {
            "without power".into()
        };
        format!(
            "node {} {state}\n       \
             generations on disk: current {:x} bitmap {:x} history {:x} {:x}\n",
            NAMES[n], uuids.current, uuids.bitmap, uuids.history[0], uuids.history[1]
        )
    }

    fn range(&self, n: usize, block: u64) -> &[u32] {
        let cached = &self.nodes[n].vol.disk.cached;
        let first = (block * BLOCK_SECTORS) as usize;
        let last = (first + BLOCK_SECTORS as usize).min(cached.len());
        cached.get(first..last).unwrap_or(&[])
    }

    fn half(&mut self, n: usize, block: u64) -> Half {
        let own = self.range(n, block).to_vec();
        let first = (block * BLOCK_SECTORS) as usize;
        let node = &mut self.nodes[n];
        let durable = node.vol.disk.durable.get(first..first + own.len());
        let attached = node.up && node.vol.lower;
        let in_memory = attached && node.vol.engine.bitmap().is_some_and(|b| b.is_set(block));
        let on_disk = node.vol.disk.bitmap().is_set(block);
        let logged = node
            .vol
            .disk
            .log_extents()
            .contains(&((block / EXTENT_BITS) as u32));
        let marks = [
            (durable != Some(&own[..]), 'd'),
            (in_memory, 'o'),
            (on_disk, 'O'),
            (logged, 'l'),
        ];
        let marks: String = marks
            .iter()
            .map(|&(set, mark)| if set { mark } else { '-' })
            .collect();
        Half {
            text: format!("{marks} {:WIDTH$}", contents(&own)),
            known: logged || if attached { in_memory } else { on_disk },
        }
    }
}
