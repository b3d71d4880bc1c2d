// SPDX-License-Identifier: GPL-2.0

//! The administrator moves the service.

use anyhow::Result;
use vm::Node;

use super::Story;
use crate::{
    client::Gap,
    clock,
    servers::{await_that, is_primary, LIMIT},
    stage::Stage,
    table::Row,
};

pub(crate) const STORY: Story = Story {
    name: "switch-over",
    title: "The administrator moves the service to the other server",
    tell,
};

fn tell(stage: &mut Stage<'_>) -> Result<Row> {
    let (active, standby) = stage.servers.active_and_standby()?;
    let begin = clock::now();
    let gap = move_to(stage, active, standby)?;
    stage.say(&format!(
        "from {} to {}: no mail for {:.1} s",
        active.name(),
        standby.name(),
        gap.seconds()
    ));
    stage.servers.await_well()?;
    Ok(Row {
        begin,
        gap: gap.seconds(),
        ..Row::default()
    })
}

/// Moves the service, and returns the time without mail.
pub(super) fn move_to(stage: &Stage<'_>, from: &Node, to: &Node) -> Result<Gap> {
    let begin = clock::now();
    from.ok(&format!(
        "crm_resource --move --resource mail --node {}",
        to.name()
    ))?;
    await_that("the service has moved", || {
        Ok(is_primary(to)? && !is_primary(from)?)
    })?;
    let (gap, _) = stage.await_mail(clock::now())?;
    to.ok("crm_resource --clear --resource mail")?;
    to.ok_within("crm_resource --wait --timeout 120", LIMIT)?;
    let gap = Gap::longest(&stage.client.accepted()?, begin).unwrap_or(gap);
    stage.flow()?;
    Ok(gap)
}
