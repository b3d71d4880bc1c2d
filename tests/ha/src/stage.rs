// SPDX-License-Identifier: GPL-2.0

//! What all stories are played on.

use std::{fs, time::Duration};

use anyhow::{ensure, Result};
use vm::{Cluster, Node};

use crate::{
    client::{Accepted, Client, Gap},
    clock,
    judge::judge,
    narrator::Narrator,
    servers::{Servers, Well, LIMIT},
    setup::Handlers,
    table::Row,
};

/// How long mail may flow before and between the stories.
const WARM_UP: usize = 20;

/// How often a server may be reset while it comes back.
const RESETS_MOST: usize = 2;

/// Servers, client, and what is known of the mails.
pub(crate) struct Stage<'a> {
    pub(crate) servers: Servers<'a>,
    pub(crate) client: Client<'a>,
    pub(crate) narrator: Narrator,
    /// When servers lost their power, in seconds of the host's clock.
    pub(crate) cuts: Vec<f64>,
    /// Who answers `fence-peer`.
    pub(crate) handlers: Handlers,
    cluster: &'a Cluster,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        handlers: Handlers,
        narrator: Narrator,
    ) -> Result<Self> {
        Ok(Self {
            servers: Servers::of(cluster)?,
            client: Client::new(cluster.node("c")?, &format!("{}", std::process::id()))?,
            narrator,
            cuts: Vec::new(),
            handlers,
            cluster,
        })
    }

    /// The client begins to send.
    pub(crate) fn open(&mut self) -> Result<()> {
        self.narrator
            .say("The client begins to send numbered mails, and never stops");
        self.client.start()?;
        self.client.await_accepted(0.0, LIMIT)?;
        self.flow()?;
        let (active, _) = self.servers.active_and_standby()?;
        self.say(&format!("mail flows; server {} is active", active.name()));
        Ok(())
    }

    /// Says what happens.
    pub(crate) fn say(&self, text: &str) {
        self.narrator.say(&format!("    {text}"));
    }

    /// Lets some mails pass.
    pub(crate) fn flow(&self) -> Result<()> {
        let before = self.client.accepted()?.len();
        loop {
            let last = self.client.await_accepted(clock::now(), LIMIT)?;
            if self.client.accepted()?.len() >= before + WARM_UP {
                ensure!(last.number > 0, "mails have no numbers");
                return Ok(());
            }
        }
    }

    /// Waits for mail to flow after a moment, and returns the longest gap since then.
    pub(crate) fn await_mail(&self, since: f64) -> Result<(Gap, Accepted)> {
        let last = self.client.await_accepted(since, LIMIT)?;
        let accepted = self.client.accepted()?;
        let gap = Gap::longest(&accepted, since).unwrap_or(Gap {
            begin: since,
            end: last.at,
        });
        Ok((gap, last))
    }

    /// Switches a server on again and waits until all is well. Where machines are slow, the other
    /// server may lose patience with one that has just come back, and have it reset: as real
    /// hardware would, it boots again.
    pub(crate) fn bring_back(&self, server: &Node) -> Result<()> {
        self.say(&format!("server {} is switched on again", server.name()));
        server.start()?;
        for _ in 0..RESETS_MOST {
            match self.servers.await_well_or_off(server)? {
                Well::Yes => return Ok(()),
                Well::Off => {
                    self.say(&format!(
                        "server {} was reset while it came back, and boots again",
                        server.name()
                    ));
                    server.start()?;
                }
            }
        }
        self.servers.await_well()
    }

    /// Judges what is there after a story.
    pub(crate) fn judge(&mut self, row: &Row) -> Result<()> {
        if row.power_lost {
            self.cuts.push(row.begin);
        }
        judge(self)?;
        self.cluster.check()
    }

    /// The last reading of everything.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.client.forget_what_was_read();
        println!();
        self.narrator
            .say("At the end the whole mailbox is read once more");
        judge(self)
    }
}

/// Keeps what the servers' journals have, for those who look for a fault.
pub(crate) fn keep_journals(cluster: &Cluster) {
    for node in cluster.nodes().iter().filter(|node| node.is_on()).take(2) {
        let text = node.sh_within(
            "crm_mon -1rf; cat /proc/drbd; journalctl --no-pager -o short-precise",
            Duration::from_secs(60),
        );
        if let Ok(output) = text {
            let path = cluster.folder().join(format!("{}.journal", node.name()));
            // Only for people.
            let _ = fs::write(path, output.stdout);
        }
    }
}
