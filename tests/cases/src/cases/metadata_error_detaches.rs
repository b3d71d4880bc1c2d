// SPDX-License-Identifier: GPL-2.0

//! A disk whose metadata cannot be written is detached, also with `on-io-error pass_on`; the write
//! that needed the metadata is served by the peer.

use anyhow::Result;
use vm::side::LOWER;

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
    trouble::{attach_again, inject, METADATA_WRITES},
};

pub(crate) const CASE: Case =
    Case::new("metadata_error_detaches", run).pairs(&[TANDEM, TANDEM_DRBD]);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.setup("disk-options 0 --on-io-error=pass_on")?;
    inject(&pair.a, METADATA_WRITES)?;
    // An extent that is not in the activity log yet.
    pair.a.write_mib(20, 1)?;
    pair.a.await_event("^[a-z]+ device .* disk:Diskless")?;
    inject(&pair.a, 0)?;
    attach_again(&pair.a, LOWER, "")?;
    pair.await_in_sync()?;
    pair.expect_equal()
}
