// SPDX-License-Identifier: GPL-2.0

//! Nodes that Debian's tools set up, with the scripts of its drbd-utils as handlers. What Debian
//! proposes for a handler is taken from its own configuration file. A program that keeps what it is
//! given stands in for the mailer.

use anyhow::{ensure, Context, Result};
use vm::side::{Side, LOWER};

use crate::pair::Pair;

/// The resource's only volume. Not 0, as its minor is: who mixes them up says another name.
const VOLUME: &str = "3";

/// How these scripts call it.
pub(crate) const NAME: &str = "r0/3 (drbd0)";

/// Debian's proposals.
const PROPOSALS: &str = "/etc/drbd.d/global_common.conf";

/// What the module calls by itself.
const HELPER: &str = "/sbin/drbdadm";

/// Keeps a mail as one line. The console has it, too: it stays when the machine goes.
const MAIL: &str = "#!/bin/sh
[ $# = 3 ] && [ \"$1\" = -s ] || exit 64
line=\"$3 | $2 |$(tr '\\n' ' ')\"
echo \"$line\" >>/run/mails
echo \"mail: $line\" >/dev/kmsg
";

/// A line of the section `handlers`, as Debian proposes it.
pub(crate) fn proposal(side: &Side<'_>, handler: &str) -> Result<String> {
    let file = side.ok(&format!("cat {PROPOSALS}"))?;
    let begin = format!("# {handler} ");
    let line = file
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with(&begin));
    let line = line.with_context(|| format!("{PROPOSALS} proposes nothing for {handler}"))?;
    Ok(line.trim_start_matches("# ").to_owned())
}

/// The same without what comes after the script that tells of it.
pub(crate) fn only_told(side: &Side<'_>, handler: &str) -> Result<String> {
    let line = proposal(side, handler)?;
    let (first, rest) = line.split_once(';').context("no end")?;
    ensure!(!rest.is_empty(), "nothing comes after it: {line}");
    Ok(format!("{first}\";"))
}

/// The configuration of both nodes, with their lower devices.
fn configuration(lower: [&str; 2], disk: &str, handlers: &[String]) -> String {
    let [a, b] = lower.map(|lower| {
        format!("volume {VOLUME} {{ device minor 0; disk {lower}; meta-disk internal; }}")
    });
    format!(
        "global {{ usage-count no; }}
common {{
  net {{ protocol C; ping-int 2; ping-timeout 30; timeout 20; connect-int 2; verify-alg sha1; }}
  disk {{ resync-rate 512M; c-plan-ahead 0; c-min-rate 0; al-extents 67; {disk} }}
  handlers {{
    {}
  }}
}}
resource r0 {{
  on a {{ address 10.99.0.1:7789; {a} }}
  on b {{ address 10.99.0.2:7789; {b} }}
}}
",
        handlers.join("\n    ")
    )
}

/// Configures both nodes with these lower devices, options of disks, and handlers, and brings them
/// in sync; node a is Primary.
pub(crate) fn in_sync(
    pair: &Pair<'_>,
    lower: [&str; 2],
    disk: &str,
    handlers: &[String],
) -> Result<()> {
    let text = configuration(lower, disk, handlers);
    for side in [pair.a, pair.b] {
        side.write_file("/etc/drbd.conf", text.as_bytes())?;
        side.write_file("/usr/bin/mail", MAIL.as_bytes())?;
        let module = side.driver();
        side.ok(&format!(
            "chmod +x /usr/bin/mail; rm -f /run/mails; touch /run/mails
            printf {HELPER} >/sys/module/{module}/parameters/usermode_helper"
        ))?;
        side.ok("drbdadm create-md r0 --force && drbdadm up r0")?;
    }
    pair.a.await_event("connection:Connected")?;
    pair.a.ok("drbdadm primary r0 --force")?;
    pair.await_in_sync()
}

/// From now on the first 4 MiB of the fragile disk of `trouble.rs` fail; the metadata does not.
pub(crate) fn spoil(side: &Side<'_>) -> Result<()> {
    side.ok(&format!(
        "rest=$(($(blockdev --getsz {LOWER}) - 8192))
        printf '0 8192 error\\n8192 %d linear {LOWER} 8192\\n' $rest | dmsetup reload part &&
        dmsetup resume part"
    ))
    .map(drop)
}

/// Waits until a handler of the volume has come back, and has ended well.
pub(crate) fn await_handled(side: &Side<'_>, handler: &str) -> Result<()> {
    side.await_log(&format!(
        "helper command: {HELPER} {handler} minor-0 exit code 0 (0x0)"
    ))
    .map(drop)
}

/// Fails unless root got exactly these mails, each with a subject and how its text begins.
pub(crate) fn expect_mails(side: &Side<'_>, expected: &[[String; 2]]) -> Result<()> {
    let mails = side.ok("cat /run/mails")?;
    let mut lines = mails.lines();
    let as_expected = expected.iter().all(|[subject, text]| {
        let begin = format!("root | {subject} | {text}");
        lines.next().is_some_and(|line| line.starts_with(&begin))
    });
    ensure!(
        as_expected && lines.next().is_none(),
        "node {}: expected mails like {expected:#?}, but got:\n{mails}",
        side.name()
    );
    Ok(())
}
