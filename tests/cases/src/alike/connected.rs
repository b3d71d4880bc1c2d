// SPDX-License-Identifier: GPL-2.0

//! Two nodes that are connected, one with either module: one acts, the other one follows, and then
//! the other way round. Each is compared with the other in the same part.

use std::thread;

use anyhow::{anyhow, Result};
use vm::{side::Side, Link};

use super::{compare, Known, Script};
use crate::pair::Pair;

/// A step of the story. In commands, `ADDRESSES` are both of the connection.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// Of the node that acts.
    Acts(&'static str),
    /// Of its peer.
    Follows(&'static str),
    /// The cable between them is cut, or joined.
    Cable(Link),
}

/// With [`IN_SYNC`]: both are set up, connected, and in sync without a resync.
pub(crate) const UP: Step = Step::Follows("drbdadm up r0");
/// See [`UP`].
pub(crate) const IN_SYNC: Step = Step::Acts(
    "
drbdadm up r0 && await_proc 'cs:Connected.*ds:Inc.*/Inconsistent C r-'
drbdadm new-current-uuid r0/0 --clear-bitmap && await_proc 'ds:UpToDate/UpToDate'",
);

/// A known difference of the node whose disk came back.
pub(crate) const NOT_CRASHED: Known = Known {
    command: "get-gi 0",
    ours: ":1:1:1:1:0:0:0",
    theirs: ":1:1:1:1:0:0:1",
    why: "a disk that comes back under a Primary did not crash; the C module says so until its \
          state changes again",
};

/// Why the disk of a peer that attaches it is in another state. (That peer has the other module.)
pub(crate) const BACK: &str =
    "a disk that our Primary detached and attaches again says that it lacks some";
/// A known difference of the peer of such a node.
pub(crate) const BACK_BITMAP: Known = Known {
    command: "events",
    ours: "WFBitMapS peer-disk:Consistent",
    theirs: "WFBitMapS peer-disk:Inconsistent",
    why: BACK,
};
/// And the one that follows from it.
pub(crate) const BACK_SOURCE: Known = Known {
    command: "events",
    ours: "SyncSource peer-disk:Inconsistent",
    theirs: "replication:SyncSource",
    why: BACK,
};

/// A story for two nodes, with what differs on purpose.
pub(crate) struct Story {
    /// The name of its transcripts.
    pub(crate) name: &'static str,
    /// How many volumes the resource has.
    pub(crate) volumes: u32,
    /// What the resource's section of `/etc/drbd.conf` has beside volumes and hosts.
    pub(crate) options: &'static str,
    /// What both do once they have metadata, before they know each other.
    pub(crate) begin: &'static str,
    /// What they do then, one after the other.
    pub(crate) steps: &'static [Step],
    /// What differs on the node that acts.
    pub(crate) acting: &'static [Known],
    /// And on its peer.
    pub(crate) following: &'static [Known],
}

/// What all stories have in `/etc/drbd.conf`. A ping may take long on a loaded host: a promotion
/// beside a Primary that does not answer one would take it for dead.
const COMMON: &str = r#"global { usage-count no; }
common {
  net { protocol C; verify-alg crc32c; ping-timeout 60; socket-check-timeout 5; connect-int 1; }
  disk { resync-rate 512M; c-plan-ahead 0; c-min-rate 0; }
  handlers {
"#;

/// The handlers that are called.
const HANDLERS: &[&str] = &[
    "before-resync-source",
    "before-resync-target",
    "after-resync-target",
    "fence-peer",
    "unfence-peer",
    "initial-split-brain",
    "split-brain",
    "pri-lost",
    "pri-lost-after-sb",
];

/// Notes how it is called, in words that are the same on both nodes, and ends as a file says. One
/// that fences comes to its end when the node looks for its peer again, so that both are told in
/// the same order.
const HANDLER: &str = "#!/bin/bash
{ echo \"called: $*\"; env | grep ^DRBD_ | sort; } |
	sed \"s/^\\(DRBD_PEERS\\?\\)=.*/\\1=peer/; s/^DRBD_CSTATE=.*//\" >>/run/handled
leaving='cs:(Disconnecting|Unconnected|Timeout|BrokenPipe|NetworkFailure|TearDown)'
[ \"$1\" != fence-peer ] ||
	while grep -qE \"$leaving\" /proc/drbd && [ $SECONDS -lt 20 ]; do :; done
[ ! -e \"/run/handler.$1\" ] || exit \"$(<\"/run/handler.$1\")\"
";

impl Story {
    /// Lets each of two nodes act.
    pub(crate) fn play(&self, pair: &Pair<'_>) -> Result<()> {
        for side in [pair.a, pair.b] {
            side.write_file("/etc/drbd.conf", self.configuration().as_bytes())?;
            side.write_file("/run/handler", HANDLER.as_bytes())?;
            let module = side.driver();
            side.ok(&format!(
                "chmod +x /run/handler
                printf /lib/drbd/drbdadm-84 >/sys/module/{module}/parameters/usermode_helper"
            ))?;
        }
        let [our_acts, their_follows] = self.once(pair, pair.a, pair.b)?;
        let [their_acts, our_follows] = self.once(pair, pair.b, pair.a)?;
        let name = |part: &str| format!("{}.{part}", self.name);
        let acting = compare(&name("acting"), &[our_acts, their_acts], self.acting);
        let follow = [our_follows, their_follows];
        acting.and(compare(&name("following"), &follow, self.following))
    }

    /// `/etc/drbd.conf` of both.
    fn configuration(&self) -> String {
        let mut text = COMMON.to_string();
        for handler in HANDLERS {
            text.push_str(&format!("    {handler} \"/run/handler {handler}\";\n"));
        }
        text.push_str(&format!("  }}\n}}\nresource r0 {{\n{}", self.options));
        for volume in 0..self.volumes {
            text.push_str(&format!(
                "  volume {volume} {{ device minor {volume}; disk /dev/data{}; \
                 meta-disk internal; }}\n",
                volume + 1
            ));
        }
        text.push_str(
            "  on a { address 10.99.0.1:7789; }\n  on b { address 10.99.0.2:7789; }\n}\n",
        );
        text
    }

    /// What both do first.
    fn begin(&self) -> String {
        let mut commands = "~: >/run/handled; rm -f /run/handler.*\n".to_string();
        for volume in 0..self.volumes {
            commands.push_str(&format!("~blkdiscard -f /dev/data{}\n", volume + 1));
        }
        commands.push_str("drbdadm create-md r0 --force\n");
        commands + self.begin.trim_start()
    }

    /// One node acts, the other one follows.
    fn once<'a>(
        &self,
        pair: &Pair<'_>,
        acting: Side<'a>,
        following: Side<'a>,
    ) -> Result<[String; 2]> {
        let begin = |side: Side<'a>, peer: Side<'a>| {
            let mut script = Script::begin(side, &peer)?;
            script.run(&self.begin())?;
            anyhow::Ok(script)
        };
        let (acts, follows) = thread::scope(|scope| {
            let other = scope.spawn(|| begin(following, acting));
            (begin(acting, following), other.join())
        });
        let (mut acts, mut follows) = (acts?, follows.map_err(|_| anyhow!("it panicked"))??);
        for step in self.steps {
            let (script, commands) = match step {
                Step::Acts(commands) => (&mut acts, commands),
                Step::Follows(commands) => (&mut follows, commands),
                Step::Cable(link) => {
                    pair.cable(*link)?;
                    continue;
                }
            };
            let commands = commands
                .trim_start()
                .replace("ADDRESSES", "ipv4:$OWN:7789 ipv4:$PEER:7789");
            script.run_with_peer(&format!("{commands}\n"))?;
        }
        Ok([acts.end()?, follows.end()?])
    }
}
