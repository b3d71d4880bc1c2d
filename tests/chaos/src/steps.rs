// SPDX-License-Identifier: GPL-2.0

//! What happens to one resource in a round.
//!
//! Not everything may happen at any time: a node that loses its disk in the moment in which it also
//! loses its peer may have had the only copy of the last writes, and then no rule can tell which
//! data is good (TESTING.md, what the simulator knows of and accepts). So a disk is only made to
//! fail while the peer's is good and the link is not cut; and who may be Primary is a matter of
//! `roles.rs`. All else is left to chance. So whatever comes of it, the nodes have to agree in the
//! end without anybody's decision.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use vm::side::Protocol;

use crate::{
    bell::Bell,
    plan::{Act, Failure, Node, Step, VOLUMES},
    resource::Resource,
    roles::Roles,
    round::{Around, Counts},
};

/// The longest that it is waited for until a disk that fails is given up; nothing may be written
/// to it for so long that nobody notices, and then it did not fail.
const NOTICED: Duration = Duration::from_secs(5);

/// The longest that it is waited for until both nodes are equal, before what needs that is passed
/// over.
const EQUAL: Duration = Duration::from_secs(10);

/// How often it is looked at what has come.
const LOOK: Duration = Duration::from_millis(100);

/// A resource in a round.
pub(crate) struct Steps<'a> {
    pub(crate) resource: Resource<'a>,
    roles: Roles,
    protocol: Protocol,
    counts: Counts,
}

impl<'a> Steps<'a> {
    /// Both nodes are Secondary and in sync: one becomes Primary, and is written to.
    pub(crate) fn begin(resource: Resource<'a>, mut roles: Roles) -> Result<Self> {
        let node = roles.promote();
        ensure!(
            resource.role(node, "primary")?,
            "r{}: node {node} does not become Primary, although all is well",
            resource.index
        );
        for node in Node::BOTH {
            resource.protocol(node, Protocol::C)?;
        }
        resource.write(node)?;
        Ok(Self {
            resource,
            roles,
            protocol: Protocol::C,
            counts: Counts::default(),
        })
    }

    /// Who is to be Primary.
    pub(crate) fn primary(&self) -> Node {
        self.roles.primary()
    }

    /// Carries the plan out until the bell rings.
    pub(crate) fn run(&mut self, plan: &[Step], around: &Around) -> Result<()> {
        for step in plan {
            if !around.bell.pause(step.pause) {
                break;
            }
            let index = self.resource.index;
            self.mend()
                .and_then(|()| self.act(&step.act, around))
                .with_context(|| format!("r{index}: {:?}", step.act))?;
        }
        Ok(())
    }

    /// What a cluster manager does: who is to be Primary is made so, and who is alone looks for its
    /// peer.
    pub(crate) fn mend(&mut self) -> Result<()> {
        let states = self.resource.look()?;
        let own = &states[self.roles.primary() as usize];
        if own.iter().any(|volume| volume.roles[0] != "Primary") {
            let node = self.roles.promote();
            self.resource.role(node, "primary")?;
        }
        for (node, all) in Node::BOTH.into_iter().zip(states) {
            if all.iter().any(|volume| volume.connection == "StandAlone") {
                self.counts.alone += 1;
                // A change of the protocol may have reached one of them only.
                self.resource.protocol(node.other(), self.protocol)?;
                self.resource.connect(node, self.protocol)?;
            }
        }
        Ok(())
    }

    fn act(&mut self, act: &Act, around: &Around) -> Result<()> {
        let done = match *act {
            Act::Fail { node, volume, how } => {
                let done = self.fail(node, volume, how, around)?;
                self.counts.failures += u64::from(done);
                done
            }
            Act::Attach => {
                self.attach_all(around)?;
                true
            }
            Act::Leave { node, away } => self.leave(node, || {
                around.bell.pause(away);
                Ok(())
            })?,
            Act::Outdate => self.outdate(around)?,
            Act::Invalidate { node, volume } => {
                self.await_in_sync(around)?;
                let _held = around.uncut();
                let done = self.resource.is_in_sync(volume)?
                    && self.resource.of_volume(node, "invalidate", volume)?;
                self.counts.invalidated += u64::from(done);
                done
            }
            Act::Protocol(protocol) => self.change_protocol(protocol, around)?,
            Act::ChangeSides => self.change_sides(around)?,
        };
        self.counts.passed_over += u64::from(!done);
        Ok(())
    }

    /// Gives both volumes time to be in sync; whoever needs that looks again.
    fn await_in_sync(&self, around: &Around) -> Result<()> {
        let waits = Bell::after(EQUAL);
        while !self.resource.is_all_in_sync()? && waits.pause(LOOK) && !around.bell.is_over() {}
        Ok(())
    }

    /// A disk fails, if its peer's is good, and is given up.
    fn fail(&self, node: Node, volume: usize, how: Failure, around: &Around) -> Result<bool> {
        let resource = self.resource;
        self.await_in_sync(around)?;
        let _held = around.uncut();
        if !resource.is_in_sync(volume)? {
            return Ok(false);
        }
        match how {
            Failure::All => resource.spoil(node, volume, true)?,
            Failure::Injected(kinds) => resource.inject(node, volume, kinds)?,
            Failure::Detached => return resource.of_volume(node, "detach", volume),
            Failure::DetachedByForce => return resource.of_volume(node, "detach --force", volume),
        }
        let noticed = Bell::after(NOTICED);
        let mut is_lost = false;
        while !is_lost && noticed.pause(LOOK) {
            is_lost = resource.states(node)?[volume].disks[0] == "Diskless";
        }
        match how {
            Failure::Injected(_) => resource.inject(node, volume, 0)?,
            _ if !is_lost => resource.spoil(node, volume, false)?,
            _ => {}
        }
        Ok(is_lost)
    }

    /// What failed is well again, and attached; while a node cannot hear from its peer what it
    /// missed, its disk stays away.
    fn attach_all(&mut self, around: &Around) -> Result<()> {
        let _held = around.uncut();
        Node::BOTH
            .into_iter()
            .try_for_each(|node| self.attach(node, false))
    }

    /// Attaches all disks of a node that are away; without its peer only if it may be `alone`.
    pub(crate) fn attach(&mut self, node: Node, alone: bool) -> Result<()> {
        let states = self.resource.states(node)?;
        for (volume, state) in states.iter().enumerate() {
            let may =
                state.connection == "Connected" || (alone && state.connection == "StandAlone");
            if state.disks[0] == "Diskless" && may {
                self.resource.spoil(node, volume, false)?;
                let attached = self.resource.attach(node, volume)?;
                self.counts.attached += u64::from(attached);
            }
        }
        Ok(())
    }

    /// Leaves the peer, and comes back after that.
    fn leave(&mut self, node: Node, meanwhile: impl FnOnce() -> Result<()>) -> Result<bool> {
        let done = self.resource.disconnect(node)?;
        meanwhile()?;
        self.resource.connect(node, self.protocol)?;
        self.counts.left += u64::from(done);
        Ok(done)
    }

    /// The data of who is not Primary is called old; the Primary's is good.
    fn outdate(&mut self, around: &Around) -> Result<bool> {
        let (resource, node) = (self.resource, self.roles.primary().other());
        self.await_in_sync(around)?;
        if !resource.is_all_in_sync()? {
            return Ok(false);
        }
        self.leave(node, || {
            for volume in 0..VOLUMES {
                resource.of_volume(node, "outdate", volume)?;
            }
            Ok(())
        })
    }

    /// Another protocol: told to one node after the other, as an administrator does.
    fn change_protocol(&mut self, protocol: Protocol, around: &Around) -> Result<bool> {
        let _held = around.uncut();
        let mut done = true;
        for node in Node::BOTH {
            done &= self.resource.protocol(node, protocol)?;
        }
        // Where one refused, `mend` tells both the old one.
        if done {
            self.protocol = protocol;
            self.counts.protocols += 1;
        }
        Ok(done)
    }

    /// The Primary becomes Secondary; its peer becomes Primary if it is certainly equal then, else
    /// it becomes Primary again.
    fn change_sides(&mut self, around: &Around) -> Result<bool> {
        let (resource, from) = (self.resource, self.roles.primary());
        let to = from.other();
        let equal = |role: &str, peer: &str| -> Result<bool> {
            let all = resource.states(to)?;
            Ok(all
                .iter()
                .all(|volume| volume.is_in_sync() && volume.roles == [role, peer]))
        };
        self.await_in_sync(around)?;
        if !equal("Secondary", "Primary")? {
            return Ok(false);
        }
        let mut has_changed = false;
        if resource.quiet(from)? && resource.role(from, "secondary")? {
            self.roles.was_demoted();
            let waits = Bell::after(EQUAL);
            while !has_changed && waits.pause(LOOK) && !around.bell.is_over() {
                has_changed = equal("Secondary", "Secondary")?;
            }
            has_changed = has_changed && self.roles.hand_over();
        }
        let node = self.roles.promote();
        resource.role(node, "primary")?;
        resource.write(node)?;
        self.counts.sides += u64::from(has_changed);
        Ok(has_changed)
    }

    /// What happened to it, in the round and since.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }
}
