// SPDX-License-Identifier: GPL-2.0

//! Flexible metadata with a striped log on one node, indexed metadata on the other: both come up,
//! sync, are read by both tools alike, and come back in sync, also from what both tools restored.

use anyhow::{ensure, Result};
use vm::{
    side::{Side, LOWER},
    Driver,
};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("metadata_layouts_are_attached", run).limit(240);

const FLEXIBLE: &str = "/dev/data2 flex-external";
/// The second index of a device of 256 MiB, of which what matters is kept.
const INDEXED: &str = "/dev/mapper/meta 1";
const INDEXED_TABLE: &str = "0 262144 zero\n262144 8192 linear /dev/data2 8192\n\
                             270336 253952 zero";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.a.ok(&format!(
        "drbdmeta --force 0 v08 {FLEXIBLE} create-md --al-stripes 4 --al-stripe-size-kB 32"
    ))?;
    pair.b.ok(&format!(
        "printf '{INDEXED_TABLE}\\n' | dmsetup create meta && dmsetup mknodes"
    ))?;
    pair.b
        .meta(&format!("--force 0 v08 {INDEXED} create-md"))?;
    come_up(pair)?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.a.write_mib(3, 2)?;
    pair.expect_equal()?;
    let size = pair.a.sectors()?;
    pair.a.secondary()?;
    for (side, meta) in [(pair.a, FLEXIBLE), (pair.b, INDEXED)] {
        side.setup("down r0")?;
        side.ok("dmesg --clear")?;
        read_by_both_tools(&side, meta, size)?;
        restored_by_both_tools(&side, meta)?;
    }
    come_up(pair)?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        side.expect_not_logged("Began resync")?;
    }
    pair.expect_equal()
}

/// Debian's tool applies the log that our module left, or C's, and dumps what ours does.
fn read_by_both_tools(side: &Side<'_>, meta: &str, size: u64) -> Result<()> {
    side.ok(&format!("drbdmeta 0 v08 {meta} apply-al"))?;
    let dump = |tool: &str| -> Result<Vec<String>> {
        let text = side.ok(&format!("{tool} --force 0 v08 {meta} dump-md"))?;
        // Debian's prints no flags of this version, whatever they are.
        let content = |line: &&str| {
            let line = line.trim();
            !line.starts_with('#') && !line.starts_with("flags") && !line.is_empty()
        };
        Ok(text.lines().filter(content).map(String::from).collect())
    };
    let debian = dump("drbdmeta")?;
    ensure!(
        debian.contains(&format!("la-size-sect {size};")),
        "no size in the dump: {debian:#?}"
    );
    if side.driver() == Driver::Tandem {
        let ours = dump("tandem meta")?;
        ensure!(ours == debian, "{ours:#?} is not {debian:#?}");
    }
    Ok(())
}

/// What one tool dumps the other one restores, to the same bytes: superblock and bitmap.
fn restored_by_both_tools(side: &Side<'_>, meta: &str) -> Result<()> {
    // Only ours dumps the flags.
    side.ok(&format!("tandem meta --force 0 v08 {meta} dump-md >/run/dump"))?;
    for tool in ["drbdmeta", "tandem meta"] {
        side.ok(&format!(
            "{tool} --force 0 v08 {meta} wipe-md && {tool} --force 0 v08 {meta} restore-md /run/dump
            drbdmeta 0 v08 {meta} apply-al"
        ))?;
        let differs = side.ok(&format!(
            "tandem meta --force 0 v08 {meta} dump-md >/run/again
            diff -I '^ *#' /run/dump /run/again || true"
        ))?;
        ensure!(differs.is_empty(), "restored by {tool}:\n{differs}");
    }
    Ok(())
}

fn come_up(pair: &Pair<'_>) -> Result<()> {
    // drbdsetup has another name for it than drbdmeta.
    for (side, meta) in [(pair.a, "/dev/data2 flexible"), (pair.b, INDEXED)] {
        side.new_resource()?;
        side.setup(&format!(
            "attach 0 {LOWER} {meta} --c-plan-ahead=0 --resync-rate=512M --c-min-rate=0"
        ))?;
    }
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")
}
