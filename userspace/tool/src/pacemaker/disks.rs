// SPDX-License-Identifier: GPL-2.0

//! The states of a resource's disks, from `/proc/drbd`. A handler may not ask by netlink: the
//! command that waits for it may hold what netlink needs (`drbdsetup primary`).

/// What the disks of a resource's volumes are, here and at the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disks {
    /// All of this node are up to date.
    pub(crate) here_is_good: bool,
    /// All of this node are consistent, if not up to date.
    pub(crate) here_is_whole: bool,
    /// All of the peer are up to date.
    pub(crate) peer_is_good: bool,
    /// All of the peer are known to be of no use: Outdated, Inconsistent.
    pub(crate) peer_is_useless: bool,
}

impl Disks {
    /// Reads the lines of some minors; nothing when one of them is not there.
    pub(crate) fn read(proc: &str, minors: &[u32]) -> Option<Self> {
        let mut disks = Self {
            here_is_good: true,
            here_is_whole: true,
            peer_is_good: true,
            peer_is_useless: true,
        };
        for minor in minors {
            let (here, peer) = pair(proc, *minor)?;
            disks.here_is_good &= here == "UpToDate";
            disks.here_is_whole &= matches!(here, "UpToDate" | "Consistent");
            disks.peer_is_good &= peer == "UpToDate";
            disks.peer_is_useless &= matches!(peer, "Outdated" | "Inconsistent");
        }
        (!minors.is_empty()).then_some(disks)
    }
}

/// Both states of one minor.
fn pair(proc: &str, minor: u32) -> Option<(&str, &str)> {
    let head = format!("{minor}:");
    let line = proc.lines().find_map(|line| {
        let rest = line.trim_start().strip_prefix(head.as_str())?;
        rest.starts_with(" cs:").then_some(rest)
    })?;
    let states = line
        .split_whitespace()
        .find_map(|it| it.strip_prefix("ds:"))?;
    states.split_once('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROC: &str = "version: 8.4.11 (api:1/proto:86-101)\n 0: cs:WFConnection \
        ro:Primary/Unknown ds:UpToDate/DUnknown C r-----\n    ns:0 nr:0\n\n 10: cs:Connected \
        ro:Primary/Secondary ds:Consistent/Outdated C r-----\n";

    #[test]
    fn all_volumes_of_a_resource_count() {
        let one = Disks::read(PROC, &[0]).unwrap();
        assert!(one.here_is_good && one.here_is_whole);
        assert!(!one.peer_is_good && !one.peer_is_useless);
        let both = Disks::read(PROC, &[0, 10]).unwrap();
        assert!(!both.here_is_good && both.here_is_whole);
        assert!(Disks::read(PROC, &[10]).unwrap().peer_is_useless);
    }

    #[test]
    fn a_minor_that_is_not_there_is_no_state() {
        assert_eq!(Disks::read(PROC, &[1]), None);
        assert_eq!(Disks::read(PROC, &[0, 1]), None);
        assert_eq!(Disks::read(PROC, &[]), None);
    }
}
