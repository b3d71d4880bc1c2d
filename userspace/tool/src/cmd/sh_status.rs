// SPDX-License-Identifier: GPL-2.0

//! `sh-status`: minors as shell variables, which the OCF agent evaluates.

use super::state::unpack;
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
        RetCode,
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
    match info.current_state {
        Some(bits) if reply.code() == RetCode::NO_ERROR => {
            let state = unpack(Some(bits))?;
            set_state(&mut set, &state, per_mille_done(&info));
        }
        _ => {
            set("known", "Unconfigured");
            for name in ["cstate", "role", "peer", "disk", "pdsk"] {
                set(name, if name == "cstate" { "Unconfigured" } else { "" });
            }
        }
    }
    out.push_str("\n_sh_status_process\n\n\n");
    Ok(out)
}

fn set_state(set: &mut impl FnMut(&str, &str), state: &DeviceState, per_mille: Option<u64>) {
    let flag = |on: bool| if on { "1" } else { "" };
    set("known", "Configured");
    set("cstate", state.conn.as_str());
    set("role", state.role.as_str());
    set("peer", state.peer.as_str());
    set("disk", state.disk.as_str());
    set("pdsk", state.peer_disk.as_str());
    set("flags_susp", flag(state.is_suspended()));
    set("flags_aftr_isp", flag(state.aftr_isp));
    set("flags_peer_isp", flag(state.peer_isp));
    set("flags_user_isp", flag(state.user_isp));
    let percent = per_mille.map_or(String::new(), |done| format!("{}.{}", done / 10, done % 10));
    set("resynced_percent", &percent);
}

#[cfg(test)]
#[path = "sh_status_tests.rs"]
mod tests;
