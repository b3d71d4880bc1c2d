// SPDX-License-Identifier: GPL-2.0

//! A peer that sends an unknown or truncated packet, a wrong magic, something that must not come
//! yet or makes no sense, or asks for what is not in the volume, loses its connection and nothing
//! else happens: the log says which packet and why, the disk stays attached with the same data, and
//! the node looks for its peer again.

use anyhow::{ensure, Result};

use crate::{
    case::{Case, TANDEM},
    false_peer::CALLER,
    pair::Pair,
};

/// Not with the C module on node a: it logs the same, but looks an unknown packet up beyond the end
/// of a table, of which its kernel complains.
pub(crate) const CASE: Case =
    Case::new("bad_packet_ends_only_its_connection", run).pairs(&[TANDEM]);

/// What a peer sends after the exchange of features, and what the log has to say.
struct Bad {
    /// Header of protocol 100 (magic, volume, command, length, padding) and payload, hexadecimal.
    packet: &'static str,
    logged: &'static str,
}

const BAD: &[Bad] = &[
    Bad {
        packet: "8620ec20 0000 0bad 00000000 00000000",
        logged: "(0x0bad): it is unknown",
    },
    Bad {
        packet: "12345678 0000 0003 00000008 00000000",
        logged: "Wrong magic value 0x12345678 in protocol version 101",
    },
    Bad {
        packet: "8620ec20 0000 0003 00000005 00000000",
        logged: "Barrier (0x0003): unexpected packet size, expected:8 received:5",
    },
    Bad {
        packet: "8620ec20 0000 000c 00000030 00000000 0102",
        logged: "ReportUUIDs (0x000c) refused: truncated",
    },
    // Not agreed upon.
    Bad {
        packet: "8620ec20 0000 0031 0000001c 00000000 \
                 0000000000000000 0000000000000007 00000001 00000100 00001000",
        logged: "Unexpected data packet Trim (0x0031)",
    },
    Bad {
        packet: "8620ec20 0000 0028 00000010 00000000 0000000000000000 00001000 00000000",
        logged: "OutOfSync (0x0028) refused: it must not come in the present state",
    },
    Bad {
        packet: "8620ec20 0000 0008 00000018 00000000 \
                 00000000ffffffff 0000000000000007 00001000 00000000",
        logged: "DataRequest (0x0008) refused: request from peer beyond end of local disk",
    },
    Bad {
        packet: "8620ec20 0000 000e 00000004 00000000 ffffffff",
        logged: "ReportState (0x000e) refused: a state without meaning",
    },
];

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.a.create_md()?;
    pair.a.new_resource()?;
    pair.a.attach()?;
    pair.a.primary_force()?;
    pair.a.write_mib(0, 2)?;
    let before = pair.a.lower_sum()?;
    let caller = CALLER.on(&pair.b)?;
    pair.a.connect(&pair.b, "")?;
    let mut looks_again = true;
    for bad in BAD {
        pair.a.await_event("connection:Connecting")?;
        let packet = bad.packet.replace(' ', "");
        pair.b
            .ok(&format!("{caller} {} {packet}", pair.a.address()))?;
        pair.a.await_log(bad.logged)?;
        if looks_again {
            pair.a.await_event("connection:Connecting")?;
        }
        pair.a
            .expect_proc("ro:Primary/Unknown ds:UpToDate/DUnknown")?;
        // Alone it would look for its peer again, but less and less often.
        pair.a.disconnect(&pair.b)?;
        pair.a.connect(&pair.b, "")?;
        looks_again = false;
    }
    let after = pair.a.lower_sum()?;
    ensure!(
        before == after,
        "the data changed: {before} before, {after} after"
    );
    // And it still works.
    pair.a.write_mib(2, 1)
}
