// SPDX-License-Identifier: GPL-2.0

//! Which states no peer and no administrator can bring a volume into, judged by `/proc/drbd`.

use std::fs;

use anyhow::{ensure, Context, Result};

/// What the module counts of its own broken invariants.
const BROKEN: &str = "/sys/kernel/debug/tandem/broken";

/// What is waited for inside of the module.
pub(crate) const WAITING: &str = "/sys/kernel/debug/tandem/waiting";

/// `/proc/drbd`.
pub(crate) const PROC: &str = "/proc/drbd";

/// Fails if a volume's state is impossible, or an invariant of the module is broken.
/// (Two Primaries are no impossible state here: after a handshake the peer's report of its role is
/// taken as it is, as the C module does, and this peer lies.)
pub(crate) fn states() -> Result<()> {
    let all = fs::read_to_string(PROC).context(PROC)?;
    for line in all.lines() {
        if let Some(wrong) = impossible(line) {
            anyhow::bail!("impossible, {wrong}: {line}");
        }
    }
    let broken = fs::read_to_string(BROKEN).context(BROKEN)?;
    ensure!(
        broken.is_empty(),
        "broken invariants of the module: {broken}"
    );
    Ok(())
}

/// What is impossible about a line of `/proc/drbd`.
fn impossible(line: &str) -> Option<&'static str> {
    let (_, rest) = line.split_once(": cs:")?;
    let mut words = rest.split_whitespace();
    let conn = words.next()?;
    let (_, peer) = words.next()?.strip_prefix("ro:")?.split_once('/')?;
    let (disk, peer_disk) = words.next()?.strip_prefix("ds:")?.split_once('/')?;
    let apart = matches!(
        conn,
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
    let left_out = conn == "Connected" && peer_disk == "Diskless";
    let unknown = peer_disk == "DUnknown" || (peer == "Unknown" && !left_out);
    if !apart && conn != "WFReportParams" && unknown {
        return Some("a connection to a peer of which nothing is known");
    }
    match conn {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(state: &str) -> Option<&'static str> {
        impossible(&format!(" 3: {state} C r-----"))
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
}
