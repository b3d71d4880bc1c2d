// SPDX-License-Identifier: GPL-2.0

//! When the Primary loses its power, its peer takes over with every file that was fsynced.

use anyhow::Result;

use crate::{case::Case, files, pair::Pair};

pub(crate) const CASE: Case = Case::new("failover_keeps_fsynced_files", run).every_pair();

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    files::make(&pair.a)?;
    let sums = files::write(&pair.a, "kept", 12)?;
    // The power goes in the middle of further writing.
    pair.a.ok("setsid sh -c 'while :; do dd if=/dev/urandom of=/mnt/a/lost bs=64k count=64; done' \
        >/dev/null 2>&1 </dev/null &")?;
    pair.a.kill()?;
    pair.b.await_apart()?;
    pair.b.primary()?;
    files::check_and_mount(&pair.b)?;
    files::verify(&pair.b, &sums)?;
    files::write(&pair.b, "more", 4)?;
    files::unmount(&pair.b)
}
