// SPDX-License-Identifier: GPL-2.0

//! `status`: resources as text, or as JSON.

use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    kernel,
    model,
    render::{
        json,
        status::{
            text,
            Style, //
        }, //
    }, //
};
use std::io::IsTerminal;

/// Prints all resources, or the one with this name.
pub(crate) fn run(which: Option<&str>, as_json: bool, style: &Style) -> Outcome {
    let resources = model::read(&mut kernel::connect()?, which)?;
    if as_json {
        println!("{:#}", json::resources(&resources));
    } else {
        print!("{}", text(&resources, style));
    }
    match which {
        Some(name) if resources.is_empty() => Err(Failure::NoSuchResource(name.to_owned())),
        _ => Ok(Exit::Success),
    }
}

/// Whether the output shall have colours.
pub(crate) fn wants_color(asked: Option<&str>) -> bool {
    match asked {
        Some("always") => true,
        Some("auto") => std::io::stdout().is_terminal(),
        _ => false,
    }
}

/// Columns of the terminal; 80 without one.
pub(crate) fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col != 0 => usize::from(size.ws_col),
        _ => 80,
    }
}
