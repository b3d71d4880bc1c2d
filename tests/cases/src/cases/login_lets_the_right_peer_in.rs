// SPDX-License-Identifier: GPL-2.0

//! Nodes with the same secret and algorithm log in at each other, whichever of the kernel's digests
//! it is; the data then goes over that connection.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("login_lets_the_right_peer_in", run).limit(240);

/// Algorithms and the length of what they give, in bytes.
const DIGESTS: &[(&str, u32)] = &[("sha1", 20), ("sha256", 32), ("sha512", 64)];

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    for (algorithm, bytes) in DIGESTS {
        let options = format!("--cram-hmac-alg={algorithm} --shared-secret=The-Secret.63");
        pair.a.connect(&pair.b, &options)?;
        pair.b.connect(&pair.a, &options)?;
        for side in [pair.a, pair.b] {
            side.await_event("connection:Connected")?;
            side.await_log(&format!("Peer authenticated using {bytes} bytes HMAC"))?;
        }
        if *algorithm != "sha512" {
            pair.a.disconnect(&pair.b)?;
            pair.b.disconnect(&pair.a)?;
        }
    }
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.a.write_mib(1, 2)?;
    pair.expect_equal()
}
