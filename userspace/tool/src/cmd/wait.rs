// SPDX-License-Identifier: GPL-2.0

//! `wait-connect` and `wait-sync`: wait for a state, with the timeouts of the configuration.

use super::state::{
    ask,
    unpack, //
};
use crate::{
    cli::setup::Wait,
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    intent::Timeouts,
    kernel,
    model::{
        block,
        context,
        resource_name, //
    },
    progress::Progress, //
};
use std::time::{
    Duration,
    Instant, //
};
use tandem_engine::{
    control::{
        CfgContext,
        Command,
        RetCode,
        SibReason,
        StateInfo,
        TimeoutParms,
        TimeoutType, //
    },
    state::{
        ConnState,
        DeviceState, //
    }, //
};
use tandem_netlink::{
    Error,
    Events,
    Reply,
    Request, //
};

/// How often the kernel is asked while progress is shown, and while no events come.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The minor is connected.
    Connected,
    /// The minor is connected and no resync or verify runs.
    Synced,
}

/// What a state means for the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// The goal is reached.
    Reached,
    /// It cannot be reached without help: the node does not even try to connect.
    GivenUp,
    /// Not yet.
    Wait,
}

/// Waits.
pub(crate) fn run(wait: &Wait, goal: Goal) -> Outcome {
    let minor = wait.minor.minor;
    let timeouts = Timeouts::new(wait, |note| eprintln!("tandem: {note}"));
    // Listening comes first: what happens after the state was asked for is not missed.
    kernel::connect()?;
    let mut events = Events::listen().map_err(|error| Failure::netlink("kernel", error))?;
    let first = ask(minor).map_err(no_such_minor)?;
    let kind = timeout_type(minor, &first)?;
    let deadline = timeouts
        .pick(kind)
        .and_then(|timeout| Instant::now().checked_add(timeout));
    let mut waiter = Waiter {
        minor,
        goal,
        wait_after_split_brain: wait.wait_after_sb.unwrap_or(false),
        told: false,
        progress: Progress::on_terminal(),
    };
    let outcome = waiter.run(&mut events, &first, deadline);
    waiter.progress.end();
    outcome
}

/// A missing minor is a wrong call of these two commands, and not a refusal.
fn no_such_minor(failure: Failure) -> Failure {
    match failure {
        Failure::Refused { object, refusal } if refusal.code == RetCode::ERR_MINOR_INVALID => {
            Failure::invalid(
                format!("{object}: ({}) {}", refusal.code.0, refusal.code.text()),
                refusal.code.hint(),
            )
        }
        other => other,
    }
}

/// Which timeout the kernel wants; that one request must name its resource.
fn timeout_type(minor: u32, status: &Reply) -> Result<TimeoutType, Failure> {
    let name = context(status)?.ctx_resource_name;
    let request = Request::for_minor(Command::GetTimeoutType, minor);
    let request = match name {
        Some(name) => request.context(&CfgContext {
            ctx_resource_name: Some(name),
            ..CfgContext::default()
        }),
        None => request,
    };
    let parms: TimeoutParms = block(&kernel::request_minor(&request)?)?;
    Ok(parms
        .timeout_type
        .and_then(TimeoutType::from_number)
        .unwrap_or(TimeoutType::Default))
}

struct Waiter {
    minor: u32,
    goal: Goal,
    wait_after_split_brain: bool,
    told: bool,
    progress: Progress,
}

impl Waiter {
    fn run(&mut self, events: &mut Events, first: &Reply, deadline: Option<Instant>) -> Outcome {
        if let Some(exit) = self.look_at(first)? {
            return Ok(exit);
        }
        loop {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.progress.end();
                eprintln!("tandem: minor {}: timeout while waiting", self.minor);
                return Ok(Exit::TIMEOUT);
            }
            let again = now + LOOK_AGAIN;
            let next = deadline.map_or(again, |deadline| deadline.min(again));
            let reply = match events.next(Some(next)) {
                Ok(Some(event)) if self.is_ours(&event.reply) => event.reply,
                Ok(Some(_)) => continue,
                // Nothing came, or something was lost: ask.
                Ok(None) | Err(Error::Overrun) => ask(self.minor)?,
                Err(error) => return Err(Failure::netlink("kernel", error)),
            };
            if let Some(exit) = self.look_at(&reply)? {
                return Ok(exit);
            }
        }
    }

    fn is_ours(&self, reply: &Reply) -> bool {
        reply.command() == Some(Command::Event) && reply.minor() == self.minor
    }

    /// Judges the state in a message; `Some` when the wait is over.
    fn look_at(&mut self, reply: &Reply) -> Result<Option<Exit>, Failure> {
        let info: StateInfo = block(reply)?;
        let Some(bits) = state_bits(&info) else {
            return Ok(None);
        };
        let state = unpack(Some(bits))?;
        match judge(self.goal, &state) {
            Judgement::Reached => Ok(Some(Exit::Success)),
            Judgement::GivenUp => self.give_up(reply, &state),
            Judgement::Wait => {
                if self.progress.is_shown() {
                    let text = format!("minor {}: {}", self.minor, state.conn.as_str());
                    self.progress.show(&text, &info);
                }
                Ok(None)
            }
        }
    }

    /// The node does not try to connect: end as `drbdsetup` does, or say that it goes on.
    fn give_up(&mut self, reply: &Reply, state: &DeviceState) -> Result<Option<Exit>, Failure> {
        let name = resource_name(&context(reply)?);
        let (minor, conn) = (self.minor, state.conn.as_str());
        if !self.wait_after_split_brain {
            eprintln!(
                "tandem: minor {minor} ({name}) is {conn}: nobody tries to connect\n  \
                 what to do: connect it; after a split brain choose the node whose data is to go \
                 (see the kernel's log), and connect that one with --discard-my-data"
            );
            return Ok(Some(Exit::Success));
        }
        if !self.told {
            eprintln!("tandem: minor {minor} ({name}) is {conn}; waiting all the same");
            self.told = true;
        }
        Ok(None)
    }
}

/// The state that a message is about: the new one in a change, the current one otherwise.
fn state_bits(info: &StateInfo) -> Option<u32> {
    match info.sib_reason.and_then(SibReason::from_number) {
        Some(SibReason::StateChange) => info.new_state.or(info.current_state),
        _ => info.current_state,
    }
}

fn judge(goal: Goal, state: &DeviceState) -> Judgement {
    let reached = match goal {
        Goal::Connected => state.conn >= ConnState::Connected,
        Goal::Synced => state.conn == ConnState::Connected,
    };
    if reached {
        return Judgement::Reached;
    }
    if state.conn < ConnState::Unconnected {
        return Judgement::GivenUp;
    }
    Judgement::Wait
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(goal: Goal, conn: ConnState) -> Judgement {
        judge(
            goal,
            &DeviceState {
                conn,
                ..DeviceState::INITIAL
            },
        )
    }

    #[test]
    fn connect_is_reached_by_every_connected_state() {
        for conn in [
            ConnState::Connected,
            ConnState::SyncTarget,
            ConnState::Behind,
        ] {
            assert_eq!(judged(Goal::Connected, conn), Judgement::Reached);
        }
        for conn in [
            ConnState::Unconnected,
            ConnState::WfConnection,
            ConnState::WfReportParams,
        ] {
            assert_eq!(judged(Goal::Connected, conn), Judgement::Wait);
        }
    }

    #[test]
    fn sync_is_reached_only_without_resync() {
        assert_eq!(
            judged(Goal::Synced, ConnState::Connected),
            Judgement::Reached
        );
        for conn in [
            ConnState::WfBitMapT,
            ConnState::SyncTarget,
            ConnState::PausedSyncS,
        ] {
            assert_eq!(judged(Goal::Synced, conn), Judgement::Wait);
        }
    }

    #[test]
    fn a_node_that_does_not_try_is_given_up() {
        for conn in [ConnState::StandAlone, ConnState::Disconnecting] {
            assert_eq!(judged(Goal::Connected, conn), Judgement::GivenUp);
            assert_eq!(judged(Goal::Synced, conn), Judgement::GivenUp);
        }
    }

    #[test]
    fn a_change_is_judged_by_its_new_state() {
        let info = StateInfo {
            sib_reason: Some(SibReason::StateChange.number()),
            current_state: Some(1),
            new_state: Some(2),
            ..StateInfo::default()
        };
        assert_eq!(state_bits(&info), Some(2));
    }
}
