// SPDX-License-Identifier: GPL-2.0

//! What `/proc/drbd` says of volumes, and which states no peer and no administrator can bring one
//! into.

use std::fmt;

/// A volume, in the words of `/proc/drbd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its minor number.
    pub minor: u32,
    /// The state of the connection, or of the resync (`cs:`).
    pub connection: String,
    /// The own role, and the peer's.
    pub roles: [String; 2],
    /// The state of the own disk, and of the peer's.
    pub disks: [String; 2],
    /// KiB that are marked to be out of sync, where it is told.
    pub out_of_sync: Option<u64>,
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            minor,
            connection,
            roles: [role, peer_role],
            disks: [disk, peer_disk],
            out_of_sync,
        } = self;
        write!(
            f,
            "{minor}: {connection}, {role}/{peer_role}, {disk}/{peer_disk}"
        )?;
        match out_of_sync {
            None | Some(0) => Ok(()),
            Some(kib) => write!(f, ", {kib} KiB out of sync"),
        }
    }
}

/// All volumes that a text of `/proc/drbd` tells of; those without any configuration are not there.
pub fn volumes(proc: &str) -> Vec<Volume> {
    let mut volumes: Vec<Volume> = Vec::new();
    for line in proc.lines() {
        if let Some(volume) = volume(line) {
            volumes.push(volume);
        } else if let (Some((_, kib)), Some(last)) = (line.split_once(" oos:"), volumes.last_mut())
        {
            last.out_of_sync = kib.trim().parse().ok();
        }
    }
    volumes
}

/// The volume of a line such as ` 3: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate`.
fn volume(line: &str) -> Option<Volume> {
    let (minor, rest) = line.split_once(": cs:")?;
    let mut words = rest.split_whitespace();
    let connection = words.next()?.to_owned();
    let mut both = |mark| {
        let (own, peer) = words.next()?.strip_prefix(mark)?.split_once('/')?;
        Some([own.to_owned(), peer.to_owned()])
    };
    Some(Volume {
        minor: minor.trim().parse().ok()?,
        connection,
        roles: both("ro:")?,
        disks: both("ds:")?,
        out_of_sync: None,
    })
}

impl Volume {
    /// Whether both disks are good and the nodes are connected, and nothing else goes on.
    pub fn is_in_sync(&self) -> bool {
        self.connection == "Connected" && self.disks.iter().all(|disk| disk == "UpToDate")
    }

    /// What is impossible about its state, if that is no state that there can be. (Two Primaries
    /// are not: after a handshake the peer's report of its role is taken as it is, as the C module
    /// does, and a peer may lie.)
    pub fn impossible(&self) -> Option<&'static str> {
        let connection = self.connection.as_str();
        let [_, peer] = self.roles.each_ref().map(String::as_str);
        let [disk, peer_disk] = self.disks.each_ref().map(String::as_str);
        let apart = matches!(
            connection,
            "StandAlone"
                | "Disconnecting"
                | "Unconnected"
                | "WFConnection"
                | "NetworkFailure"
                | "ProtocolError"
                | "BrokenPipe"
                | "Timeout"
                | "TearDown"
        );
        if apart && peer != "Unknown" {
            return Some("a peer's role without a connection");
        }
        // A volume of which the peer says nothing goes on as if the peer had no disk for it.
        let left_out = connection == "Connected" && peer_disk == "Diskless";
        let unknown = peer_disk == "DUnknown" || (peer == "Unknown" && !left_out);
        if !apart && connection != "WFReportParams" && unknown {
            return Some("a connection to a peer of which nothing is known");
        }
        match connection {
            "SyncSource" if disk != "UpToDate" => Some("a source without good data"),
            "SyncTarget" if disk != "Inconsistent" => Some("a target with good data"),
            "SyncTarget" | "PausedSyncT" | "WFBitMapT" if peer_disk != "UpToDate" => {
                Some("a target of bad data")
            }
            "PausedSyncS" | "WFBitMapS" if disk != "UpToDate" => Some("a source without good data"),
            "VerifyS" | "VerifyT" if disk != "UpToDate" || peer_disk != "UpToDate" => {
                Some("a verify of bad data")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(state: &str) -> Option<&'static str> {
        volumes(&format!(" 3: {state} C r-----"))[0].impossible()
    }

    #[test]
    fn impossible_states_are_told_from_possible_ones() {
        assert!(verdict("cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate").is_none());
        assert!(verdict("cs:WFConnection ro:Primary/Unknown ds:UpToDate/DUnknown").is_none());
        assert!(verdict("cs:Connected ro:Secondary/Unknown ds:UpToDate/Diskless").is_none());
        assert!(verdict("cs:SyncTarget ro:Secondary/Primary ds:Inconsistent/UpToDate").is_none());
        for wrong in [
            "cs:Connected ro:Primary/Unknown ds:UpToDate/UpToDate",
            "cs:Connected ro:Primary/Secondary ds:UpToDate/DUnknown",
            "cs:WFConnection ro:Primary/Primary ds:UpToDate/DUnknown",
            "cs:SyncSource ro:Primary/Secondary ds:Inconsistent/Inconsistent",
            "cs:SyncTarget ro:Secondary/Primary ds:UpToDate/UpToDate",
            "cs:VerifyS ro:Secondary/Primary ds:UpToDate/Inconsistent",
        ] {
            assert!(verdict(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn each_volume_has_its_own_count_of_what_is_out_of_sync() {
        let proc = "version: 8.4.11 (api:1/proto:86-101)\n\n \
                    0: cs:Connected ro:Secondary/Primary ds:UpToDate/UpToDate C r-----\n    \
                    ns:0 nr:8 dw:8 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0\n \
                    1: cs:Unconfigured\n \
                    2: cs:WFConnection ro:Primary/Unknown ds:UpToDate/DUnknown C r-----\n    \
                    ns:0 nr:8 dw:8 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:64\n";
        let told = volumes(proc);
        assert_eq!(told.len(), 2);
        assert!(told[0].is_in_sync() && !told[1].is_in_sync());
        assert_eq!(told[0].out_of_sync, Some(0));
        assert_eq!(
            told[1].to_string(),
            "2: WFConnection, Primary/Unknown, UpToDate/DUnknown, 64 KiB out of sync"
        );
    }
}
