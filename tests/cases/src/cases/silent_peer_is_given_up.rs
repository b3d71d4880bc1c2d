// SPDX-License-Identifier: GPL-2.0

//! A peer that answers nothing any more, though its connection was never closed: a node whose
//! machine stands still, and a link that works one way only. The Primary gives it up within
//! `ping-int` and `ping-timeout`, its writes go on, and they are resynced when the peer is heard
//! again.

use std::time::Duration;

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("silent_peer_is_given_up", run);

/// Ping and its answer take 5 seconds at most, the rest is a slow machine.
const SOON: Duration = Duration::from_secs(40);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.b.freeze()?;
    // Begun before anybody knows: it waits for the peer, and not for ever.
    pair.a.write_mib(0, 1)?;
    pair.a.await_in("drbdsetup events2", "connection:Connecting", SOON)?;
    pair.b.thaw()?;
    pair.await_in_sync()?;
    // What a says arrives, but a hears nothing.
    pair.b.mute(&pair.a)?;
    pair.a.write_mib(1, 1)?;
    pair.a.await_in("drbdsetup events2", "connection:Connecting", SOON)?;
    pair.b.quick_link(&pair.a)?;
    pair.await_in_sync()?;
    pair.expect_equal()
}
