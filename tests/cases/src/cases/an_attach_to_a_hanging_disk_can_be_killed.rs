// SPDX-License-Identifier: GPL-2.0

//! Who attaches a disk that does not answer can be killed, and leaves after 30 seconds. Nobody
//! else is held up meanwhile; the module and the disk are in use until it has answered, and
//! debugfs says so; then all is as if the command had not been given.

use std::time::Duration;

use anyhow::Result;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    refusal,
    trouble::{await_end, begin, fragile, hang, wake},
};

pub(crate) const CASE: Case =
    Case::new("an_attach_to_a_hanging_disk_can_be_killed", run).pairs(&[TANDEM]);

/// `ERR_OPEN_DISK`.
const CANNOT_OPEN: i32 = 104;

/// What the tool ends with when the kernel refused; `ERR_IO_MD_DISK` with its text.
const REFUSED: u8 = 10;
/// See above.
const SILENT: &str = "(118) .*nothing came of the device for 30 s";

/// What a shell says of a command that was killed.
const KILLED: u8 = 137;

/// Waits until debugfs names the disk that is read, or until it does not any more.
fn await_reader(pair: &Pair<'_>, there: bool) -> Result<()> {
    let wanted = if there { "reads" } else { "rests" };
    let look = "sh -c \"while :; do grep -q '^minor-0 disk ' /sys/kernel/debug/tandem/waiting \
                && echo reads || echo rests; done\"";
    pair.a
        .await_in(look, &format!("^{wanted}$"), Duration::from_secs(30))
        .map(drop)
}

fn run(pair: &Pair<'_>) -> Result<()> {
    let lower = fragile(&pair.a)?;
    pair.a.create_md_on(&lower)?;
    pair.a.new_resource()?;
    hang(&pair.a)?;
    let attach = format!("drbdsetup attach 0 {lower} {lower} internal");
    begin(&pair.a, "attach", &attach)?;
    await_reader(pair, true)?;
    await_end(&pair.a, "attach", REFUSED)?;
    pair.a
        .ok(&format!("tr '\\n' ' ' </run/attach.out | grep '{SILENT}'"))?;
    wake(&pair.a)?;
    await_reader(pair, false)?;

    hang(&pair.a)?;
    begin(&pair.a, "attach", &attach)?;
    await_reader(pair, true)?;
    pair.a.expect_proc("cs:Unconfigured")?;
    pair.a.ok("pkill -9 -f '^drbdsetup attach'")?;
    await_end(&pair.a, "attach", KILLED)?;

    await_reader(pair, true)?;
    let again = format!("attach 0 {lower} {lower} internal");
    refusal::of(&pair.a, &again, CANNOT_OPEN)?;
    pair.a.setup("down r0")?;
    pair.a.ok("! rmmod tandem 2>/dev/null")?;

    wake(&pair.a)?;
    await_reader(pair, false)?;
    pair.a.new_resource()?;
    pair.a.attach_to(&lower, "")?;
    pair.a.setup("down r0")?;
    pair.a.no_part()
}
