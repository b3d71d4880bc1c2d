// SPDX-License-Identifier: GPL-2.0

//! The lower disk of the active server fails.

use anyhow::{ensure, Result};

use super::{switch_over::move_to, Story};
use crate::{
    clock,
    servers::{await_that, is_primary, proc},
    stage::Stage,
    table::Row,
};

pub(crate) const STORY: Story = Story {
    name: "disk",
    title: "The disk of the active server fails",
    tell,
};

fn tell(stage: &mut Stage<'_>) -> Result<Row> {
    let (active, standby) = stage.servers.active_and_standby()?;
    let begin = clock::now();
    active.ok("/srv/setup/break-disk.sh error")?;
    await_that("the active server gives its disk up", || {
        Ok(proc(active)?.contains("ds:Diskless/UpToDate"))
    })?;
    let (gap, _) = stage.await_mail(clock::now())?;
    ensure!(is_primary(active)?, "the service moved at once");
    stage.say(&format!(
        "server {} goes on with the disk of {}; no mail was accepted for {:.1} s",
        active.name(),
        standby.name(),
        gap.seconds()
    ));
    let moved = move_to(stage, active, standby)?;
    stage.say(&format!(
        "the service moves to the good disk: no mail for {:.1} s",
        moved.seconds()
    ));
    active.ok("/srv/setup/break-disk.sh 'linear /dev/data1 0' && drbdadm attach r0")?;
    stage.servers.await_well()?;
    stage.say("the disk is replaced, attached and in sync");
    Ok(Row {
        begin,
        gap: gap.seconds().max(moved.seconds()),
        healed: Some(clock::now() - begin),
        ..Row::default()
    })
}
