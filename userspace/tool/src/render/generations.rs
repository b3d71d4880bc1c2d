// SPDX-License-Identifier: GPL-2.0

//! Data generations: four UUIDs and flags of the metadata.

/// Flags with their bits and meanings, in the order of the one-line form.
pub(crate) const FLAGS: [(u32, &str); 7] = [
    (1, "the data is consistent"),
    (16, "the data was up to date"),
    (2, "the node was Primary"),
    (4, "the node was connected"),
    (8, "a full resync is needed"),
    (32, "the peer's data is outdated"),
    (64, "the node crashed as Primary"),
];

/// The data generations of one disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generations {
    /// Current, bitmap, younger and older history.
    pub(crate) uuids: [u64; 4],
    /// Flags of the metadata.
    pub(crate) flags: u32,
}

impl Generations {
    /// `CURRENT:BITMAP:HISTORY:HISTORY:` and a digit for each flag.
    pub(crate) fn line(&self) -> String {
        let [current, bitmap, younger, older] = self.uuids;
        let mut line = format!("{current:016X}:{bitmap:016X}:{younger:016X}:{older:016X}");
        for (bit, _) in FLAGS {
            line.push(':');
            line.push(if self.flags & bit != 0 { '1' } else { '0' });
        }
        line
    }

    /// One line for each UUID and flag.
    pub(crate) fn explained(&self) -> String {
        let names = [
            "current generation",
            "generation at the last contact with the peer",
            "younger history",
            "older history",
        ];
        let mut text = String::new();
        for (name, uuid) in names.iter().zip(self.uuids) {
            text += &format!("{uuid:016X}  {name}\n");
        }
        for (bit, meaning) in FLAGS {
            let set = if self.flags & bit != 0 { "yes" } else { "no" };
            text += &format!("{set:>16}  {meaning}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_uuids_and_flags_in_drbds_order() {
        let generations = Generations {
            uuids: [0xabc, 4, 0, u64::MAX],
            flags: 1 | 2 | 64,
        };
        assert_eq!(
            generations.line(),
            "0000000000000ABC:0000000000000004:0000000000000000:FFFFFFFFFFFFFFFF:1:0:1:0:0:0:1"
        );
    }

    #[test]
    fn every_flag_is_explained() {
        let text = Generations {
            uuids: [1, 2, 3, 4],
            flags: 8,
        }
        .explained();
        assert_eq!(text.lines().count(), 11);
        assert!(text.contains("             yes  a full resync is needed\n"));
    }
}
