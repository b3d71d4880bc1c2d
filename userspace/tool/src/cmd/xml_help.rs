// SPDX-License-Identifier: GPL-2.0

//! `xml-help`: a command described for programs.

use crate::{
    cli::definition,
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    render::xml_help,
};
use std::io::Write as _;

/// Describes the command of that name.
pub(super) fn run(name: &str) -> Outcome {
    // Options from tables are put in when it is built.
    let mut tandem = definition().disable_help_subcommand(true);
    tandem.build();
    let setup = tandem.find_subcommand("setup");
    let Some(command) = setup.and_then(|setup| setup.find_subcommand(name)) else {
        return Err(Failure::invalid(
            format!("'{name}' is no command"),
            "'tandem setup help' lists what there is",
        ));
    };
    let text = xml_help::text(command, name);
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Ok(Exit::Success),
        Err(error) => Err(Failure::Other(error.into())),
    }
}
