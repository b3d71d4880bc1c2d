// SPDX-License-Identifier: GPL-2.0

//! Two nodes that are connected, one with either module: one acts, the other one follows, and then
//! the other way round. Each is compared with the other in the same part.

use std::thread;

use anyhow::{anyhow, Result};
use vm::side::Side;

use super::{compare, Known, Script};
use crate::pair::Pair;

/// A step of the story.
pub(crate) enum Step {
    /// Of the node that acts.
    Acts(&'static str),
    /// Of its peer.
    Follows(&'static str),
}

/// A story for two nodes, with what differs on purpose.
pub(crate) struct Story {
    /// The name of its transcripts.
    pub(crate) name: &'static str,
    /// `/etc/drbd.conf` of both.
    pub(crate) configuration: &'static str,
    /// What both do before they know each other.
    pub(crate) begin: &'static str,
    /// What they do then, one after the other. `ADDRESSES` are both of the connection.
    pub(crate) steps: &'static [Step],
    /// What differs on the node that acts.
    pub(crate) acting: &'static [Known],
    /// And on its peer.
    pub(crate) following: &'static [Known],
}

/// Notes how it is called, in words that are the same on both nodes, and ends as a file says.
const HANDLER: &str = "#!/bin/bash
{ echo \"called: $*\"; env | grep ^DRBD_ | sort; } |
	sed \"s/^\\(DRBD_PEERS\\?\\)=.*/\\1=peer/; s/^DRBD_CSTATE=.*//\" >>/run/handled
[ ! -e \"/run/handler.$1\" ] || exit \"$(<\"/run/handler.$1\")\"
";

impl Story {
    /// Lets each of two nodes act.
    pub(crate) fn play(&self, pair: &Pair<'_>) -> Result<()> {
        for side in [pair.a, pair.b] {
            side.write_file("/etc/drbd.conf", self.configuration.as_bytes())?;
            side.write_file("/run/handler", HANDLER.as_bytes())?;
            let module = side.driver();
            side.ok(&format!(
                "chmod +x /run/handler && rm -f /run/handler.*
                printf /lib/drbd/drbdadm-84 >/sys/module/{module}/parameters/usermode_helper"
            ))?;
        }
        let [our_acts, their_follows] = self.once(pair.a, pair.b)?;
        let [their_acts, our_follows] = self.once(pair.b, pair.a)?;
        let name = |part: &str| format!("{}.{part}", self.name);
        let acting = compare(&name("acting"), &[our_acts, their_acts], self.acting);
        let follow = [our_follows, their_follows];
        acting.and(compare(&name("following"), &follow, self.following))
    }

    /// One node acts, the other one follows.
    fn once<'a>(&self, acting: Side<'a>, following: Side<'a>) -> Result<[String; 2]> {
        let begin = |side: Side<'a>, peer: Side<'a>| {
            side.ok(": >/run/handled")?;
            let mut script = Script::begin(side, &peer)?;
            script.run(self.begin.trim_start())?;
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
            };
            let commands = commands
                .trim_start()
                .replace("ADDRESSES", "ipv4:$OWN:7789 ipv4:$PEER:7789");
            script.run_with_peer(&format!("{commands}\n"))?;
        }
        Ok([acts.end()?, follows.end()?])
    }
}
