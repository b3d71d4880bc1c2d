// SPDX-License-Identifier: GPL-2.0

//! Only the replication link is cut: the cluster manager still hears both.

use anyhow::{ensure, Result};
use vm::Link;

use super::Story;
use crate::{
    clock,
    servers::{await_handler, await_that, is_primary, proc},
    stage::Stage,
    table::Row,
};

pub(crate) const STORY: Story = Story {
    name: "replication-link",
    title: "Only the replication link is cut",
    tell,
};

fn tell(stage: &mut Stage<'_>) -> Result<Row> {
    let (active, standby) = stage.servers.active_and_standby()?;
    let begin = clock::now();
    stage.servers.replication(Link::Down)?;
    await_that("the peer's disk counts as outdated", || {
        Ok(proc(active)?.contains("ds:UpToDate/Outdated"))
    })?;
    let (gap, _) = stage.await_mail(clock::now())?;
    let (asked, answered, code) = await_handler(active, begin)?;
    let outdated = stage.handlers.outdated();
    ensure!(
        code == outdated,
        "fence-peer answered {code} instead of {outdated}"
    );
    stage.say(&format!(
        "noticed after {:.1} s; fence-peer answered {code} after {:.2} s more; no mail was \
         accepted for {:.1} s",
        asked - begin,
        answered - asked,
        gap.seconds()
    ));
    let refused = standby.sh("drbdadm primary r0")?;
    ensure!(
        !refused.success() && !is_primary(standby)?,
        "the outdated standby was promoted"
    );
    stage.say(&format!(
        "server {} has old data, and its promotion is refused",
        standby.name()
    ));
    ensure!(standby.is_on() && active.is_on(), "a server was shot");
    stage.flow()?;
    stage.servers.replication(Link::Up)?;
    stage.servers.await_well()?;
    stage.say("joined again: it got what it missed, and may be promoted again");
    Ok(Row {
        begin,
        gap: gap.seconds(),
        healed: Some(clock::now() - begin),
        ..Row::default()
    })
}
