// SPDX-License-Identifier: GPL-2.0

//! Two nodes are set up from a configuration file, run, change and end with nothing but our tool
//! under the names of DRBD's tools, with either module. The kernel's handlers run through it.

use std::time::Duration;

use anyhow::{ensure, Result};
use vm::side::Side;

use crate::{
    case::Case,
    own::{configure, drbdadm, install, with_path, PLACE},
    pair::Pair,
    xml_help,
};

pub(crate) const CASE: Case = Case::new("a_node_needs_only_our_tool", run).limit(180);

/// How long a handler may take to be called.
const SOON: Duration = Duration::from_secs(60);

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        install(&side, "")?;
        drbdadm(&side, "create-md r0")?;
        drbdadm(&side, "up r0")?;
    }
    for side in [pair.a, pair.b] {
        drbdadm(&side, "wait-connect r0")?;
    }
    drbdadm(&pair.a, "primary r0 --force")?;
    pair.await_in_sync()?;
    for stage in ["before", "after"] {
        let line = format!("^{stage} r0 0 0 /dev/data1 a 10.99.0.1$");
        let source = format!("tail -n +1 -F {PLACE}/handlers");
        pair.b.await_in(&source, &line, SOON)?;
    }
    shows_its_state(&pair.a)?;
    reports_as_debians_tool(&pair.a)?;
    xml_help::compare(&pair.a)?;
    pair.a.write_mib(3, 1)?;
    adjusts(&pair.a)?;
    drbdadm(&pair.a, "secondary r0")?;
    pair.expect_equal()?;
    drbdadm(&pair.a, "down r0")?;
    pair.a.ok("! grep -q cs: /proc/drbd")?;
    let disk = drbdadm(&pair.a, "dstate r0")?;
    ensure!(disk == "Consistent", "the disk of a is {disk}");
    goes_down_by_force(&pair.b)
}

/// Neither a peer that is gone nor frozen I/O of a program keeps a resource up.
fn goes_down_by_force(side: &Side<'_>) -> Result<()> {
    drbdadm(side, "primary r0")?;
    drbdadm(side, "suspend-io r0")?;
    // It has the device open when it begins.
    side.ok("exec 3>/dev/drbd0
        dd if=/dev/zero bs=4k count=1 conv=fsync status=none >&3 2>/run/own/dd &")?;
    let refused = side.sh(&with_path("drbdsetup down r0"))?;
    ensure!(refused.status == 11, "it is in use, but: {refused:?}");
    side.ok(&with_path("timeout 30 drbdsetup down r0 --force"))?;
    side.ok("! grep -q cs: /proc/drbd && grep -q 'Input/output error' /run/own/dd")
        .map(drop)
}

/// Makes each report with Debian's tool and with ours, and tells where they differ. (What goes
/// wrong is told in other words.)
const REPORTS: &str = "while IFS= read -r report; do
    theirs=$(eval \"/lib/drbd/drbdsetup-84 $report\" 2>/dev/null; echo \"exit $?\")
    ours=$(eval \"/run/own/drbdsetup $report\" 2>/dev/null; echo \"exit $?\")
    [ \"$ours\" = \"$theirs\" ] && continue
    echo \"drbdsetup $report (<: ours, >: Debian's)\"
    diff <(echo \"$ours\") <(echo \"$theirs\")
done <<'END'
dstate 0
get-gi 0
show r0 --show-defaults
status r0 --verbose --statistics
sh-status
events2 --now --statistics
wait-sync 0
show nobody
END
";

fn reports_as_debians_tool(side: &Side<'_>) -> Result<()> {
    let place = format!("{PLACE}/reports");
    side.write_file(&place, REPORTS.as_bytes())?;
    let differences = side.ok(&format!("bash {place}"))?;
    ensure!(differences.is_empty(), "{differences}");
    // It shows it again and again, and ends when nobody reads any more.
    let watch = format!(
        "{{ timeout 30 tandem status --watch=1; echo \"ended $?\" >{PLACE}/watch; }} |
            grep -m 2 -c '^r0 role:Primary' && cat {PLACE}/watch"
    );
    let shown = side.ok(&watch)?;
    ensure!(shown == "2\nended 0", "status --watch was shown, and ended: {shown}");
    Ok(())
}

/// What is asked is answered as DRBD's tools do.
fn shows_its_state(side: &Side<'_>) -> Result<()> {
    for (command, expected) in [
        ("role r0", "Primary/Secondary"),
        ("cstate r0", "Connected"),
        ("dstate r0", "UpToDate/UpToDate"),
        ("sh-dev r0", "/dev/drbd0"),
    ] {
        let said = drbdadm(side, command)?;
        ensure!(said == expected, "'{command}' said {said}, not {expected}");
    }
    let status = side.ok(&with_path("drbdsetup sh-status r0"))?;
    ensure!(status.contains("_cstate=Connected"), "{status}");
    let json = side.ok(&with_path("tandem status --json"))?;
    ensure!(json.contains("\"peer-disk-state\": \"UpToDate\""), "{json}");
    let doctor = side.ok(&format!("tandem doctor -c {PLACE}/drbd.conf -p {PLACE}/drbd.conf"))?;
    ensure!(doctor.contains("nothing is wrong"), "{doctor}");
    Ok(())
}

/// A configuration that changes is taken over, and only what changed.
fn adjusts(side: &Side<'_>) -> Result<()> {
    let planned = drbdadm(side, "-d adjust r0")?;
    ensure!(planned.is_empty(), "nothing changed, but: {planned}");
    configure(side, "net { max-buffers 4000; } disk { on-io-error pass_on; }")?;
    let problem = side.sh(&with_path(&format!(
        "drbdadm -c {PLACE}/drbd.conf adjust r0"
    )))?;
    ensure!(
        problem.status == 10 && problem.stderr.contains("drbd.conf:7:"),
        "sections that are there twice should be an error with its line, but: {problem:?}"
    );
    configure(side, "options { on-no-data-accessible suspend-io; }")?;
    let planned = drbdadm(side, "-d adjust r0")?;
    ensure!(
        planned
            == "drbdsetup resource-options r0 --set-defaults \
                --on-no-data-accessible=suspend-io",
        "{planned}"
    );
    drbdadm(side, "adjust r0")?;
    let planned = drbdadm(side, "-d adjust r0")?;
    ensure!(planned.is_empty(), "it was adjusted, but: {planned}");
    side.expect_proc("cs:Connected")
}
