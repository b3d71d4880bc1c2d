// SPDX-License-Identifier: GPL-2.0

//! A Primary whose disk does not answer leaves its peer: the connection ends at once, so that the
//! peer is free to do something else. The Primary itself has to write its new generation first, and
//! says after a while what holds it up. So does a disk that shall go out of use.

use anyhow::Result;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{await_end, begin, begin_disconnect, hang, in_sync_on_fragile, wake},
};

pub(crate) const CASE: Case = Case::new(
    "a_disconnect_lets_the_peer_go_though_the_own_disk_hangs",
    run,
)
.pairs(&[TANDEM]);

/// What the tool ends with when a change of state failed.
const REFUSED: u8 = 11;

/// What it says then.
const WHY: &str = "minor 0 has not answered for [0-9]* s";

fn run(pair: &Pair<'_>) -> Result<()> {
    in_sync_on_fragile(pair)?;

    hang(&pair.a)?;
    begin_disconnect(&pair.a)?;
    pair.b.await_event("connection:Connecting")?;
    pair.b.setup("down r0")?;
    pair.a
        .expect_proc("cs:Disconnecting ro:Primary/Unknown ds:UpToDate/DUnknown")?;
    await_end(&pair.a, "disconnect", REFUSED)?;
    pair.a.ok(&format!("grep '{WHY}' /run/disconnect.out"))?;
    begin(&pair.a, "detach", "drbdsetup detach 0")?;
    await_end(&pair.a, "detach", REFUSED)?;
    pair.a.ok(&format!("grep '{WHY}' /run/detach.out"))?;

    wake(&pair.a)?;
    pair.a.await_event("connection:StandAlone")?;
    pair.a
        .await_proc("cs:StandAlone ro:Primary/Unknown ds:UpToDate/DUnknown")?;
    pair.a.setup("secondary 0")?;
    pair.a.setup("down r0")?;
    pair.a.no_part()
}
