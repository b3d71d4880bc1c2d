// SPDX-License-Identifier: GPL-2.0

//! One cut of the power, from a pair in sync to a pair in sync.

use std::{thread, time::Duration};

use anyhow::{anyhow, Context, Result};
use vm::{pair::Pair, side::Side, Loss};

use crate::{
    load,
    plan::{Plan, Way},
    stages::Stages,
};

/// What became of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Things that the load had reported.
    pub(crate) done: u64,
    /// Things that are there.
    pub(crate) held: u64,
    /// What the disks did with writes that were not flushed.
    pub(crate) loss: Loss,
}

/// Options of each connection, beside the protocol.
const OPTIONS: &str = "--verify-alg=crc32c --ping-int=1";

/// Brings a fresh pair in sync.
pub(crate) fn begin(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.a.connect(&pair.b, OPTIONS)?;
    pair.b.connect(&pair.a, OPTIONS)?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.a.secondary()
}

/// Carries a plan out. Both nodes are Secondary and in sync before and after.
pub(crate) fn run(pair: &Pair<'_>, plan: &Plan, stages: &Stages) -> Result<Outcome> {
    let primary = if plan.b_is_primary { pair.b } else { pair.a };
    let cut = Cut {
        pair,
        plan,
        stages,
        primary,
        secondary: pair.peer_of(&primary),
    };
    cut.arrange().context("before the cut")?;
    let (outcome, last) = match plan.way {
        Way::SecondaryReturns => cut.secondary_returns(),
        Way::PeerTakesOver => cut.peer_takes_over(),
        Way::PrimaryReturns => cut.primary_returns(),
        Way::BothReturn => cut.both_return(),
    }?;
    cut.compare(&last).context("after the cut")?;
    pair.check()?;
    Ok(outcome)
}

struct Cut<'a> {
    pair: &'a Pair<'a>,
    plan: &'a Plan,
    stages: &'a Stages,
    primary: Side<'a>,
    secondary: Side<'a>,
}

/// What became of it, and who has checked the data: it is Primary.
type End<'a> = Result<(Outcome, Side<'a>)>;

impl<'a> Cut<'a> {
    /// The load runs on the Primary, and waits for its cut.
    fn arrange(&self) -> Result<()> {
        let Self { plan, primary, .. } = self;
        self.stages.time("roles", || {
            for side in [self.primary, self.secondary] {
                side.ok("dmesg --clear")?;
            }
            let protocol = plan.told().as_str();
            primary.net_options(&self.secondary, &format!("--protocol={protocol}"))?;
            self.secondary
                .await_proc(&format!("ds:UpToDate/UpToDate {protocol} r"))?;
            primary.primary()
        })?;
        self.stages.time("mkfs", || {
            plan.file_system.load(primary)?;
            plan.file_system.make(primary)?;
            plan.file_system.mount(primary)
        })?;
        self.stages.time("prepare", || {
            load::install(primary, plan)?;
            load::begin(primary, plan)?;
            load::await_more(primary, plan, 0)
        })?;
        self.stages.time("load", || self.wait(plan.delay));
        Ok(())
    }

    /// Cuts the power of some nodes at the same moment.
    fn cut(&self, sides: &[Side<'a>]) -> Result<Loss> {
        self.stages.time("cut", || self.cut_all(sides))
    }

    fn cut_all(&self, sides: &[Side<'a>]) -> Result<Loss> {
        let stopped: Vec<_> = sides
            .iter()
            .map(|side| side.stop())
            .collect::<Result<_>>()?;
        let mut loss = Loss::default();
        for (side, stopped) in sides.iter().zip(stopped) {
            loss += stopped.kill(self.plan.luck(side.name() == "b"))?;
            side.check()?;
        }
        Ok(loss)
    }

    /// Boots a node again. What its console has said is known by now.
    fn boot(&self, side: &Side<'_>) -> Result<()> {
        side.forget_console()?;
        side.start()
    }

    /// A node that was booted looks for its peer, and may lose its power in that, once more.
    fn join(&self, side: &Side<'a>) -> Result<()> {
        self.attach(side)?;
        if let Some(delay) = self.plan.again {
            self.wait(delay);
            self.cut(&[*side])?;
            self.stages.time("boot", || self.boot(side))?;
            self.attach(side)?;
        }
        Ok(())
    }

    fn attach(&self, side: &Side<'a>) -> Result<()> {
        self.stages
            .time("attach", || self.pair.joins(side, &self.options()))
    }

    fn resync(&self) -> Result<()> {
        self.stages.time("resync", || self.pair.await_in_sync())
    }

    /// The options of the connection.
    fn options(&self) -> String {
        format!("{OPTIONS} --protocol={}", self.plan.told().as_str())
    }

    /// Lets the machines do what they do until that moment.
    fn wait(&self, delay: Duration) {
        thread::sleep(delay.mul_f64(self.pair.spec().time_scale()));
    }

    /// Mounts and looks at everything; the node is Primary.
    fn look(&self, side: &Side<'_>, done: u64) -> Result<u64> {
        let files = self.plan.file_system;
        let held = self.stages.time("look", || {
            load::install(side, self.plan)?;
            files.load(side)?;
            files.mount(side)?;
            load::check(side, self.plan, done)
        })?;
        self.stages.time("fsck", || {
            files.unmount(side)?;
            files.check(side)
        })?;
        Ok(held)
    }

    fn secondary_returns(&self) -> End<'a> {
        let (primary, secondary, plan) = (self.primary, self.secondary, self.plan);
        let loss = self.cut(&[secondary])?;
        let before = load::done(&primary, plan)?;
        self.stages.time("boot", || self.boot(&secondary))?;
        self.stages
            .time("go on", || load::await_more(&primary, plan, before))?;
        self.join(&secondary)?;
        self.resync()?;
        self.stages.time("finish", || {
            load::finish(&primary)?;
            plan.file_system.unmount(&primary)?;
            primary.secondary()?;
            secondary.primary()
        })?;
        let done = load::done(&primary, plan)?;
        let held = self.look(&secondary, done)?;
        Ok((Outcome { done, held, loss }, secondary))
    }

    fn peer_takes_over(&self) -> End<'a> {
        let (primary, secondary) = (self.primary, self.secondary);
        let loss = self.cut(&[primary])?;
        let done = load::done(&primary, self.plan)?;
        let held = thread::scope(|scope| {
            let boot = scope.spawn(|| self.boot(&primary));
            let apart = self.stages.time("notice", || secondary.await_apart());
            let held = apart.and_then(|()| {
                secondary.primary()?;
                self.look(&secondary, done)
            });
            self.stages.time("boot", || joined(boot.join()))?;
            held
        })?;
        self.join(&primary)?;
        self.resync()?;
        Ok((Outcome { done, held, loss }, secondary))
    }

    fn primary_returns(&self) -> End<'a> {
        let primary = self.primary;
        let loss = self.cut(&[primary])?;
        let done = load::done(&primary, self.plan)?;
        self.stages.time("boot", || self.boot(&primary))?;
        self.join(&primary)?;
        self.resync()?;
        primary.primary()?;
        let held = self.look(&primary, done)?;
        Ok((Outcome { done, held, loss }, primary))
    }

    fn both_return(&self) -> End<'a> {
        let (primary, secondary) = (self.primary, self.secondary);
        let loss = self.cut(&[primary, secondary])?;
        let done = load::done(&primary, self.plan)?;
        self.stages.time("boot", || {
            thread::scope(|scope| {
                let boot = scope.spawn(|| self.boot(&secondary));
                let own = self.boot(&primary);
                joined(boot.join()).and(own)
            })
        })?;
        self.attach(&primary)?;
        self.join(&secondary)?;
        self.resync()?;
        primary.primary()?;
        let held = self.look(&primary, done)?;
        Ok((Outcome { done, held, loss }, primary))
    }

    /// A verify finds nothing, and the disks are equal.
    fn compare(&self, primary: &Side<'_>) -> Result<()> {
        self.stages.time("verify", || {
            primary.secondary()?;
            for side in [self.pair.a, self.pair.b] {
                side.ok("dmesg --clear")?;
            }
            primary.setup("verify 0")?;
            for side in [self.pair.a, self.pair.b] {
                side.await_log("Online verify done")?;
                side.expect_not_logged("Out of sync")?;
                side.expect_proc("oos:0")?;
            }
            self.pair.await_in_sync()
        })?;
        self.stages.time("compare", || self.pair.expect_equal())
    }
}

fn joined<T>(result: thread::Result<Result<T>>) -> Result<T> {
    result.unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
}
