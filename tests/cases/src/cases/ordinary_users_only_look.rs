// SPDX-License-Identifier: GPL-2.0

//! An ordinary user may see how things are, but not the secret, and may change nothing.

use anyhow::{ensure, Result};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("ordinary_users_only_look", run);

const NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups";

const SECRET: &str = "between the two of us";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    let login = format!("--cram-hmac-alg=sha256 --shared-secret='{SECRET}'");
    pair.a.connect(&pair.b, &login)?;
    pair.b.connect(&pair.a, &login)?;
    pair.a.await_event("connection:Connected")?;

    for look in ["drbdsetup status r0", "drbdsetup cstate 0", "cat /proc/drbd"] {
        let seen = pair.a.ok(&format!("{NOBODY} {look}"))?;
        ensure!(seen.contains("Connected") || seen.contains("r0 role:"), "{look}: {seen}");
    }
    let told = |user: &str| pair.a.ok(&format!("{user} drbdsetup show r0"));
    ensure!(told("")?.contains(SECRET), "root does not see the secret");
    let seen = told(NOBODY)?;
    ensure!(!seen.contains(SECRET), "everybody sees the secret:\n{seen}");
    ensure!(seen.contains("sha256"), "nobody sees nothing:\n{seen}");

    for change in ["primary 0 --force", "disk-options 0 --al-extents=100", "down r0"] {
        let output = pair.a.sh(&format!("{NOBODY} drbdsetup {change}"))?;
        ensure!(!output.success(), "nobody may {change}: {output:?}");
    }
    pair.a.expect_proc("cs:Connected ro:Secondary/Secondary")
}
