// SPDX-License-Identifier: GPL-2.0

//! `show-gi` and `get-gi`: the data generations of an attached disk.

use super::state::ask;
use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    model::block,
    render::generations::Generations, //
};
use tandem_engine::control::StateInfo;

/// Prints the generations with explanations.
pub(crate) fn show(minor: u32) -> Outcome {
    with(minor, |generations| print!("{}", generations.explained()))
}

/// Prints the generations on one line.
pub(crate) fn get(minor: u32) -> Outcome {
    with(minor, |generations| println!("{}", generations.line()))
}

fn with(minor: u32, print: impl FnOnce(&Generations)) -> Outcome {
    let info: StateInfo = block(&ask(minor)?)?;
    let (Some(current), Some(flags)) = (info.uuid(0), info.disk_flags) else {
        return Err(Failure::Metadata {
            what: format!("minor {minor} has no disk attached"),
            hint: "attach one first, or use 'tandem meta' on the disk".into(),
        });
    };
    print(&Generations {
        uuids: [
            current,
            info.uuid(1).unwrap_or(0),
            info.uuid(2).unwrap_or(0),
            info.uuid(3).unwrap_or(0),
        ],
        flags,
    });
    Ok(Exit::Success)
}
