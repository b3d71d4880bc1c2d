// SPDX-License-Identifier: GPL-2.0

//! The servers do not hear each other any more, on any link; each might think that the other is
//! dead.

use anyhow::{ensure, Result};
use vm::Link;

use super::Story;
use crate::{
    clock,
    servers::{await_handler, await_that, is_primary},
    stage::Stage,
    table::Row,
};

pub(crate) const STORY: Story = Story {
    name: "all-links",
    title: "All links between the servers are cut; the client reaches both",
    tell,
};

fn tell(stage: &mut Stage<'_>) -> Result<Row> {
    let (active, standby) = stage.servers.active_and_standby()?;
    let begin = clock::now();
    stage.servers.all_links(Link::Down)?;
    stage.say("cut; the active one freezes its writes and asks what became of the other");
    await_that("one of the servers is fenced", || {
        Ok(!active.is_on() || !standby.is_on())
    })?;
    let off = clock::now();
    ensure!(
        active.is_on(),
        "the active server was shot, and not the standby"
    );
    stage.say(&format!(
        "server {} was reset {:.1} s after the cut, and nobody was promoted",
        standby.name(),
        off - begin
    ));
    let (gap, _) = stage.await_mail(off)?;
    ensure!(is_primary(active)?, "the survivor is not Primary any more");
    let (asked, answered, code) = await_handler(active, begin)?;
    let fenced = stage.handlers.fenced();
    ensure!(
        code == fenced,
        "fence-peer answered {code} instead of {fenced}"
    );
    stage.say(&format!(
        "fence-peer answered {code} (fenced) after {:.1} s; no mail was accepted for {:.1} s",
        answered - asked,
        gap.seconds()
    ));
    stage.flow()?;
    stage.say("the links are joined again");
    stage.servers.all_links(Link::Up)?;
    stage.bring_back(standby)?;
    Ok(Row {
        begin,
        gap: gap.seconds(),
        healed: Some(clock::now() - begin),
        ..Row::default()
    })
}
