// SPDX-License-Identifier: GPL-2.0

//! The active server dies: its power is cut, or its kernel panics.

use anyhow::{ensure, Result};
use vm::Node;

use super::Story;
use crate::{
    clock,
    servers::{await_that, await_timeline, is_primary, LIMIT},
    stage::Stage,
    table::Row,
};

pub(crate) const POWER_CUT: Story = Story {
    name: "power-cut",
    title: "The active server loses its power",
    tell: |stage| take_over(stage, |active| active.kill()),
};

pub(crate) const PANIC: Story = Story {
    name: "panic",
    title: "The kernel of the active server panics",
    tell: |stage| {
        take_over(stage, |active| {
            // The machine is gone before it could answer.
            let _ = active.sh("echo c >/proc/sysrq-trigger");
            active.await_off(LIMIT)?;
            let console = active.console()?;
            ensure!(console.contains("Kernel panic"), "it did not panic");
            active.forget_console()
        })
    },
};

/// What `kill` does to the active server, and how the other takes over.
fn take_over(stage: &mut Stage<'_>, kill: impl Fn(&Node) -> Result<()>) -> Result<Row> {
    let (active, standby) = stage.servers.active_and_standby()?;
    stage.say(&format!("server {} is active, and dies", active.name()));
    let begin = clock::now();
    kill(active)?;
    let off = clock::now();
    await_that("the standby is promoted", || is_primary(standby))?;
    let (gap, mail) = stage.await_mail(clock::now())?;
    let timeline = await_timeline(standby, begin, |timeline| {
        timeline.parts(begin, gap.end).is_ok()
    })?;
    let promoted = timeline.primary(begin)?;
    ensure!(
        off < promoted + CLOCKS,
        "server {} was promoted {:.1} s before the other was off",
        standby.name(),
        off - promoted
    );
    let parts = timeline.parts(begin, gap.end)?;
    stage.say(&format!(
        "server {} knew after {:.1} s, had it fenced after {:.1} s more, and was Primary {:.1} s \
         later",
        standby.name(),
        parts.detect,
        parts.fence,
        parts.decide + parts.promote
    ));
    stage.say(&format!(
        "of these, the handler took {:.2} s and the change of the role {:.3} s",
        parts.handler, parts.role
    ));
    stage.say(&format!(
        "no mail was accepted for {:.1} s; now they are again (number {})",
        gap.seconds(),
        mail.number
    ));
    stage.flow()?;
    stage.bring_back(active)?;
    let healed = clock::now() - begin;
    stage.say("both disks are up to date again, and the constraint is gone");
    Ok(Row {
        begin,
        gap: gap.seconds(),
        parts: Some(parts),
        healed: Some(healed),
        power_lost: true,
    })
}

/// How well the machines' clocks are known, in seconds.
const CLOCKS: f64 = 0.5;
