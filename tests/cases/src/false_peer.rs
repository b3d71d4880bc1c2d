// SPDX-License-Identifier: GPL-2.0

//! Scripts that play a peer, in a guest.

use anyhow::Result;
use vm::side::Side;

/// A script of `guest/`, and what it is called there.
pub(crate) struct Script {
    name: &'static str,
    text: &'static [u8],
}

/// Calls, sends one packet and ends.
pub(crate) const CALLER: Script = Script {
    name: "caller.pl",
    text: include_bytes!("../guest/caller.pl"),
};

/// Answers pings, and nothing else.
pub(crate) const SILENT: Script = Script {
    name: "silent.pl",
    text: include_bytes!("../guest/silent.pl"),
};

/// Speaks old versions.
pub(crate) const OLD: Script = Script {
    name: "old-peer.pl",
    text: include_bytes!("../guest/old-peer.pl"),
};

/// Tells its features one byte a second.
pub(crate) const DRIP: Script = Script {
    name: "drip.pl",
    text: include_bytes!("../guest/drip.pl"),
};

/// Stands between two nodes, and reads one byte a second when it is told to.
pub(crate) const RELAY: Script = Script {
    name: "relay.pl",
    text: include_bytes!("../guest/relay.pl"),
};

impl Script {
    /// Puts it on a node, with what it needs; returns the command that runs it.
    pub(crate) fn on(&self, side: &Side<'_>) -> Result<String> {
        side.write_file("/tmp/Peer.pm", include_bytes!("../guest/Peer.pm"))?;
        let place = format!("/tmp/{}", self.name);
        side.write_file(&place, self.text)?;
        Ok(format!("perl -I/tmp {place}"))
    }
}
