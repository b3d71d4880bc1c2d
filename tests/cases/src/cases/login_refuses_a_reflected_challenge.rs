// SPDX-License-Identifier: GPL-2.0

//! A caller that does not know the secret and sends our own challenge back, to get the answer out
//! of us, gets none: the node becomes StandAlone and says why.

use anyhow::{bail, Result};

use crate::{
    case::{Case, DRBD_TANDEM, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case =
    Case::new("login_refuses_a_reflected_challenge", run).pairs(&[TANDEM, DRBD_TANDEM]);

/// Plays a peer: calls for both sockets, tells versions 86 to 101, sends the challenge back (80
/// bytes, its header included), and prints how many bytes come in return.
const CALLER: &str = r"exec 3<>/dev/tcp/ADDRESS/7789 &&
printf '\x83\x74\x02\x67\xff\xf2\x00\x00' >&3 &&
exec 4<>/dev/tcp/ADDRESS/7789 && printf '\x83\x74\x02\x67\xff\xf1\x00\x00' >&4 &&
head -c 80 <&3 >/dev/null &&
{ printf '\x83\x74\x02\x67\xff\xfe\x00\x48\x00\x00\x00\x56\x00\x00\x00\x00\x00\x00\x00\x65'
  head -c 60 /dev/zero; } >&3 &&
head -c 80 <&3 >&3 &&
cat <&3 | wc -c";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.b.setup("down r0")?;
    pair.a
        .connect(&pair.b, "--cram-hmac-alg=sha256 --shared-secret=x")?;
    pair.a.await_event("connection:Connecting")?;
    let caller = CALLER.replace("ADDRESS", &pair.a.address());
    pair.b.write_file("/tmp/caller", caller.as_bytes())?;
    let answer = pair.b.ok("timeout 60 bash /tmp/caller")?;
    if answer != "0" {
        bail!("the challenge was answered, with {answer} bytes");
    }
    pair.a.await_event("connection:StandAlone")?;
    pair.a.await_log("Peer presented the same challenge!")?;
    pair.a.await_log("Authentication of peer failed").map(drop)
}
