// SPDX-License-Identifier: GPL-2.0

//! `events`: the state of now and every change of it, in the form that came before `events2`:
//! number, kind, minor, resource and volume, state.

use super::state::unpack;
use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    intent::parse_minor,
    kernel,
    model::{
        context,
        resource_name, //
    },
    progress::per_mille_done, //
};
use std::io::{
    self,
    Write, //
};
use tandem_engine::{
    control::{
        Command,
        SibReason,
        StateInfo, //
    },
    state::DeviceState, //
};
use tandem_netlink::{
    Error,
    Events,
    Reply,
    Request, //
};

/// Prints until nobody reads any more.
pub(super) fn run(which: Option<&str>) -> Outcome {
    let failed = |error| Failure::netlink("kernel", error);
    let mut kernel = kernel::connect()?;
    let mut events = Events::listen_to(kernel.family()).map_err(failed)?;
    let minor = which.and_then(|which| parse_minor(which).ok());
    let is_wanted = |reply: &Reply| match which {
        None => true,
        Some(which) => {
            Some(reply.minor()) == minor
                || context(reply).is_ok_and(|context| resource_name(&context) == which)
        }
    };
    let now = kernel
        .dump(&Request::new(Command::GetStatus))
        .map_err(failed)?;
    for reply in now.iter().filter(|reply| is_wanted(reply)) {
        if !print(&lines(0, reply)?) {
            return Ok(Exit::Success);
        }
    }
    loop {
        let event = match events.next(None) {
            Ok(Some(event)) => event,
            Ok(None) => continue,
            Err(Error::Overrun) => {
                eprintln!("tandem: events were lost");
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        let is_old = event.reply.command() == Some(Command::Event);
        if is_old && is_wanted(&event.reply) && !print(&lines(event.sequence, &event.reply)?) {
            return Ok(Exit::Success);
        }
    }
}

/// Prints; `false` when nobody reads any more.
fn print(text: &str) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// The lines for a message.
fn lines(sequence: u32, reply: &Reply) -> Result<String, Failure> {
    let context = context(reply)?;
    let name = resource_name(&context);
    let Some(info) = reply
        .block::<StateInfo>()
        .map_err(|error| Failure::netlink("kernel", error))?
    else {
        return Ok(format!("{sequence} R - {name}\n"));
    };
    let object = format!(
        "{},{name}[{}]",
        reply.minor(),
        context.ctx_volume.unwrap_or(0)
    );
    let state = |tag: &str, bits: Option<u32>| {
        let state = unpack(bits)?;
        Ok::<_, Failure>(format!("{sequence} {tag} {object} {}\n", shown(&state)))
    };
    let helper = || {
        let name = info.helper.unwrap_or_default();
        String::from_utf8_lossy(name.as_bytes()).into_owned()
    };
    Ok(match info.sib_reason.and_then(SibReason::from_number) {
        Some(SibReason::StateChange) => {
            state("ST-prev", info.prev_state)?
                + &state("ST-new", info.new_state)?
                + &state("ST", info.current_state)?
        }
        Some(SibReason::GetStatusReply) => state("ST", info.current_state)?,
        Some(SibReason::HelperPre) => format!("{sequence} UH {object} {}\n", helper()),
        Some(SibReason::HelperPost) => format!(
            "{sequence} UH-post {object} {} 0x{:04x}\n",
            helper(),
            info.helper_exit_code.unwrap_or(0)
        ),
        Some(SibReason::SyncProgress) => {
            let done = per_mille_done(&info).unwrap_or(0);
            format!("{sequence} SP {object} {}.{}\n", done / 10, done % 10)
        }
        None => format!(
            "{sequence} ?? {object} <other message, state info broadcast reason:{}>\n",
            info.sib_reason.unwrap_or(0)
        ),
    })
}

fn shown(state: &DeviceState) -> String {
    let flag = |on: bool, letter: char| if on { letter } else { '-' };
    format!(
        "{{ cs:{} ro:{}/{} ds:{}/{} {}{}{}{} }}",
        state.conn.as_str(),
        state.role.as_str(),
        state.peer.as_str(),
        state.disk.as_str(),
        state.peer_disk.as_str(),
        if state.is_suspended() { 's' } else { 'r' },
        flag(state.aftr_isp, 'a'),
        flag(state.peer_isp, 'p'),
        flag(state.user_isp, 'u'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_engine::state::{
        ConnState,
        DiskState,
        Role, //
    };

    #[test]
    fn a_state_is_shown_as_drbdsetup_does() {
        let state = DeviceState {
            conn: ConnState::SyncTarget,
            role: Role::Secondary,
            peer: Role::Primary,
            disk: DiskState::Inconsistent,
            peer_disk: DiskState::UpToDate,
            peer_isp: true,
            ..DeviceState::INITIAL
        };
        assert_eq!(
            shown(&state),
            "{ cs:SyncTarget ro:Secondary/Primary ds:Inconsistent/UpToDate r-p- }"
        );
    }
}
