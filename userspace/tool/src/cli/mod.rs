// SPDX-License-Identifier: GPL-2.0

//! What can be typed.

pub(crate) mod meta;
pub(crate) mod options;
pub(crate) mod setup;

use crate::failure::Failure;
use clap::{
    CommandFactory,
    FromArgMatches,
    Parser,
    Subcommand, //
};
use std::{
    ffi::OsString,
    path::Path, //
};

/// Replicated block devices for a pair of machines.
#[derive(Debug, Parser)]
#[command(
    name = "tandem",
    version,
    infer_long_args = true,
    disable_help_subcommand = false
)]
struct Tandem {
    #[command(subcommand)]
    tool: Tool,
}

/// The two tools in one.
#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Set devices up and show their state (drbdsetup)
    #[command(subcommand)]
    Setup(setup::Setup),
    /// Work on metadata of a disk that is not attached (drbdmeta)
    Meta(meta::Meta),
}

/// Reads a command line; the first argument is the name the tool was called by.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Tool, Failure> {
    let mut command = Tandem::command();
    infer_everywhere(&mut command);
    command
        .try_get_matches_from(with_tool(args))
        .and_then(|matches| Tandem::from_arg_matches(&matches))
        .map(|tandem| tandem.tool)
        .map_err(Failure::Usage)
}

/// Lets long options be shortened, as `getopt_long` does.
fn infer_everywhere(command: &mut clap::Command) {
    let taken = std::mem::take(command);
    *command = taken.infer_long_args(true);
    for sub in command.get_subcommands_mut() {
        infer_everywhere(sub);
    }
}

/// Puts the tool's name into the command line when it stands in the name of the binary.
fn with_tool(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    let name = args
        .first()
        .and_then(|name| Path::new(name).file_name())
        .and_then(|name| name.to_str())
        .map(|name| name.strip_suffix("-84").unwrap_or(name));
    let tool = match name {
        Some("drbdsetup") => "setup",
        Some("drbdmeta") => "meta",
        _ => return args,
    };
    args.insert(1, tool.into());
    args
}

#[cfg(test)]
mod tests;
