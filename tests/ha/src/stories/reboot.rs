// SPDX-License-Identifier: GPL-2.0

//! The standby is rebooted in an orderly way while mail flows.

use anyhow::{ensure, Result};

use super::Story;
use crate::{
    clock,
    servers::{timeline, LIMIT},
    stage::Stage,
    table::Row,
};

pub(crate) const STORY: Story = Story {
    name: "reboot",
    title: "The standby is rebooted while mail flows",
    tell,
};

fn tell(stage: &mut Stage<'_>) -> Result<Row> {
    let (active, standby) = stage.servers.active_and_standby()?;
    let begin = clock::now();
    standby.ok("systemctl --no-block reboot")?;
    standby.await_off(LIMIT)?;
    stage.say(&format!("server {} shut down", standby.name()));
    stage.flow()?;
    ensure!(
        timeline(active, begin)?
            .first(" was terminated (", begin)
            .is_err(),
        "an orderly shutdown was fenced"
    );
    stage.bring_back(standby)?;
    let (gap, _) = stage.await_mail(begin)?;
    stage.say(&format!(
        "it is back, and in sync; the longest time without mail was {:.1} s",
        gap.seconds()
    ));
    Ok(Row {
        begin,
        gap: gap.seconds(),
        healed: Some(clock::now() - begin),
        ..Row::default()
    })
}
