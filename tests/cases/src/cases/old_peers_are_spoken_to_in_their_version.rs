// SPDX-License-Identifier: GPL-2.0

//! A peer that speaks only an older version gets the headers and the packets of that version, byte
//! by byte as long as the C module's.

use anyhow::{ensure, Result};

use crate::{
    case::{Case, DRBD_TANDEM, TANDEM},
    false_peer::OLD,
    pair::Pair,
};

pub(crate) const CASE: Case =
    Case::new("old_peers_are_spoken_to_in_their_version", run).pairs(&[TANDEM, DRBD_TANDEM]);

/// What a node introduces itself with, by the version: magic number of the headers, lengths of
/// `P_PROTOCOL` and of the resync settings, and which packet has these.
const VERSIONS: &[(u32, &str, u32, &str, u32)] = &[
    (86, "83740267", 24, "0a", 4),
    (88, "83740267", 25, "0a", 5),
    (94, "83740267", 25, "23", 132),
    (99, "83740267", 25, "23", 148),
    (100, "8620ec20", 25, "23", 148),
];

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.a.create_md()?;
    pair.a.new_resource()?;
    pair.a.attach()?;
    pair.a.primary_force()?;
    let old_peer = OLD.on(&pair.b)?;
    pair.a.connect(&pair.b, "")?;
    let versions: Vec<String> = VERSIONS.iter().map(|row| row.0.to_string()).collect();
    let told = pair.b.ok(&format!(
        "{old_peer} {} {}",
        pair.a.address(),
        versions.join(" ")
    ))?;
    let expected: Vec<String> = VERSIONS
        .iter()
        .map(|(version, magic, protocol, settings, length)| {
            format!("{version} {magic} 0b:{protocol} {settings}:{length} 0d:32 0c:48 0e:4")
        })
        .collect();
    ensure!(
        told.lines().eq(&expected),
        "{told}\nand not\n{}",
        expected.join("\n")
    );
    pair.a.write_mib(0, 1)
}
