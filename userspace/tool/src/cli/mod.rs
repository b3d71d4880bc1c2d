// SPDX-License-Identifier: GPL-2.0

//! What can be typed.

pub(crate) mod adm;
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

/// The three tools in one.
#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Set devices up and show their state (drbdsetup)
    #[command(subcommand)]
    Setup(setup::Setup),
    /// Work on metadata of a disk that is not attached (drbdmeta)
    Meta(meta::Meta),
    /// Do what /etc/drbd.conf says (drbdadm)
    Adm(adm::Adm),
}

/// Reads a command line; the first argument is the name the tool was called by.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Tool, Failure> {
    let mut command = Tandem::command();
    infer_everywhere(&mut command);
    let args = with_tool(args);
    let is_adm = args.get(1).is_some_and(|tool| tool == "adm");
    command
        .try_get_matches_from(args)
        .and_then(|matches| Tandem::from_arg_matches(&matches))
        .map(|tandem| tandem.tool)
        .map_err(|error| match is_adm {
            true => Failure::AdmUsage(error),
            false => Failure::Usage(error),
        })
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
        Some("drbdadm") => "adm",
        _ => return without_old_dashes(args),
    };
    args.insert(1, tool.into());
    without_old_dashes(args)
}

/// `drbdadm -- --force primary r0`: options before the command, which are for `drbdsetup`.
fn without_old_dashes(mut args: Vec<OsString>) -> Vec<OsString> {
    let dashes = args.iter().position(|arg| arg == "--");
    let (Some(dashes), true) = (dashes, args.get(1).is_some_and(|tool| tool == "adm")) else {
        return args;
    };
    let is_command = |arg: &OsString| {
        let mut names = adm::COMMANDS.iter();
        names.any(|command| arg == command.name)
    };
    if args.iter().take(dashes).skip(2).any(is_command) {
        return args;
    }
    args.remove(dashes);
    for arg in args.iter_mut().skip(dashes) {
        match arg.to_str() {
            Some(text) if text.starts_with('-') => *arg = format!("--setup-option={text}").into(),
            _ => break,
        }
    }
    args
}

#[cfg(test)]
mod tests;
