// SPDX-License-Identifier: GPL-2.0

//! `sh-status`: minors as shell variables, which the OCF agent evaluates.

use super::state::{
    is_unconfigured,
    unpack, //
};
use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    kernel,
    model::{
        block,
        context,
        resource_name, //
    },
    progress::per_mille_done, //
};
use std::fmt::Write as _;
use tandem_engine::{
    control::{
        Command,
        StateInfo, //
    },
    state::DeviceState, //
};
use tandem_netlink::{
    Reply,
    Request, //
};

/// Prints all minors, those of a resource, or one.
pub(crate) fn run(which: Option<&str>) -> Outcome {
    let mut replies = kernel::connect()?
        .dump(&Request::new(Command::GetStatus))
        .map_err(|error| Failure::netlink("kernel", error))?;
    if let Some(which) = which {
        let minor = crate::intent::parse_minor(which).ok();
        let mut kept = Vec::new();
        for reply in replies {
            if Some(reply.minor()) == minor || resource_name(&context(&reply)?) == which {
                kept.push(reply);
            }
        }
        replies = kept;
    }
    for reply in &replies {
        print!("{}", variables(reply)?);
    }
    match which {
        Some(name) if replies.is_empty() => Err(Failure::NoSuchResource(name.to_owned())),
        _ => Ok(Exit::Success),
    }
}

fn variables(reply: &Reply) -> Result<String, Failure> {
    let context = context(reply)?;
    let info: StateInfo = block(reply)?;
    let mut out = String::new();
    let mut set = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "_{name}={value}");
    };
    set("minor", &reply.minor().to_string());
    set("res_name", &resource_name(&context));
    set("volume", &context.ctx_volume.unwrap_or(0).to_string());
    let state = unpack(info.current_state)?;
    if is_unconfigured(&state) {
        out.push_str(UNCONFIGURED);
    } else {
        out.push_str(&configured(&state, per_mille_done(&info)));
    }
    out.push_str("\n_sh_status_process\n\n\n");
    Ok(out)
}

/// Variables of a minor that has neither disk nor connection.
const UNCONFIGURED: &str = "_known=Unconfigured\n\n_cstate=Unconfigured\n_role=\n_peer=\n\
    _disk=\n_pdsk=\n_flags_susp=\n_flags_aftr_isp=\n_flags_peer_isp=\n_flags_user_isp=\n\
    _resynced_percent=\n";

fn configured(state: &DeviceState, per_mille: Option<u64>) -> String {
    let flag = |on: bool| if on { "1" } else { "" };
    let percent = per_mille.map_or(String::new(), |done| format!("{}.{}", done / 10, done % 10));
    format!(
        "_known=Configured\n\n_cstate={}\n_role={}\n_peer={}\n_disk={}\n_pdsk={}\n\n\
         _flags_susp={}\n_flags_aftr_isp={}\n_flags_peer_isp={}\n_flags_user_isp={}\n\n\
         _resynced_percent={percent}\n",
        state.conn.as_str(),
        state.role.as_str(),
        state.peer.as_str(),
        state.disk.as_str(),
        state.peer_disk.as_str(),
        flag(state.is_suspended()),
        flag(state.aftr_isp),
        flag(state.peer_isp),
        flag(state.user_isp),
    )
}

#[cfg(test)]
#[path = "sh_status_tests.rs"]
mod tests;
