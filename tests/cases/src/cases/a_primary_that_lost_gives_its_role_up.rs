// SPDX-License-Identifier: GPL-2.0

//! After a split brain that the Primary loses (`after-sb-1pri call-pri-lost-after-sb`) it becomes
//! Secondary and gets the other one's data. When its device is in use it cannot, and the handler
//! `pri-lost-after-sb` is called instead.

use std::time::Duration;

use anyhow::Result;
use vm::{Driver, Link};

use crate::{
    case::Case,
    handlers::{await_call, install},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("a_primary_that_lost_gives_its_role_up", run);

/// How long a program may take to open the device.
const SOON: Duration = Duration::from_secs(60);

/// Who changed nothing loses, Primary or not.
const POLICIES: &str =
    "--after-sb-0pri=discard-zero-changes --after-sb-1pri=call-pri-lost-after-sb";

fn run(pair: &Pair<'_>) -> Result<()> {
    install(&pair.a)?;
    pair.in_sync()?;
    pair.a.secondary()?;
    pair.cut()?;
    pair.b.primary()?;
    pair.b.write_mib(9, 1)?;
    pair.b.secondary()?;
    pair.a.primary()?;
    pair.a.disconnect(&pair.b)?;
    pair.b.disconnect(&pair.a)?;
    pair.cable(Link::Up)?;

    // A reader holds the device.
    pair.a.ok("mkfifo /run/hold; touch /run/held
        (exec 3</dev/drbd0; echo held; cat /run/hold; exec 3<&-; echo free) </dev/null \
            >/run/held 2>&1 &")?;
    pair.a.await_in("tail -n +1 -F /run/held", "^held$", SOON)?;
    meet(pair)?;
    await_call(&pair.a, "pri-lost-after-sb minor-0")?;
    pair.a.await_log("-> StandAlone")?;
    pair.a
        .expect_proc("cs:StandAlone ro:Primary/Unknown ds:UpToDate")?;
    if !pair.b.is_alone()? {
        pair.b.disconnect(&pair.a)?;
    }

    pair.a.ok("echo >/run/hold")?;
    pair.a.await_in("tail -n +1 -F /run/held", "^free$", SOON)?;
    if pair.a.driver() != Driver::Tandem {
        // The C module cannot in the middle of a handshake, in use or not.
        return Ok(());
    }
    meet(pair)?;
    pair.await_in_sync()?;
    pair.a.expect_proc("ro:Secondary/Secondary")?;
    pair.expect_equal()
}

fn meet(pair: &Pair<'_>) -> Result<()> {
    pair.b.connect(&pair.a, POLICIES)?;
    pair.a.connect(&pair.b, POLICIES)
}
