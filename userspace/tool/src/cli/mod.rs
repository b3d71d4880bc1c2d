// SPDX-License-Identifier: GPL-2.0

//! What can be typed.

pub(crate) mod adm;
pub(crate) mod fence;
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

/// The tools in one.
#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Set devices up and show their state (drbdsetup)
    #[command(subcommand)]
    Setup(setup::Setup),
    /// Work on metadata of a disk that is not attached (drbdmeta)
    Meta(meta::Meta),
    /// Do what /etc/drbd.conf says (drbdadm)
    Adm(adm::Adm),
    /// Show the state of resources
    Status(setup::Status),
    /// Handler: let Pacemaker say what became of the peer, and keep it from being promoted
    FencePeer(fence::Fence),
    /// Handler: let the peer be promoted again, when both have the same data
    UnfencePeer(fence::Which),
    /// Look for what is wrong with this node, and say it in plain words
    Doctor(Doctor),
    /// Write the manual and the completions of shells, from these definitions
    #[command(hide = true)]
    Generate(Generate),
}

/// `tandem doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// Configuration [default: /etc/drbd.conf]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config_file: Option<std::path::PathBuf>,
    /// The peer's configuration, to be compared; "-" reads it, as from "ssh PEER drbdadm dump"
    #[arg(short, long, value_name = "FILE")]
    pub(crate) peer_config: Option<std::path::PathBuf>,
}

/// `tandem generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Generate {
    /// Folder for the manual's pages
    #[arg(long, value_name = "FOLDER")]
    pub(crate) man: Option<std::path::PathBuf>,
    /// Folder for completions
    #[arg(long, value_name = "FOLDER")]
    pub(crate) completions: Option<std::path::PathBuf>,
}

/// The whole definition, for the manual and for completions.
pub(crate) fn definition() -> clap::Command {
    Tandem::command()
}

/// Reads a command line; the first argument is the name the tool was called by.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Tool, Failure> {
    let mut command = Tandem::command();
    infer_everywhere(&mut command);
    let args = object_first(with_tool(args));
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

/// `drbdsetup 0 primary`, as it was before 8.4: the object comes before the command.
fn object_first(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.get(1).is_none_or(|tool| tool != "setup") {
        return args;
    }
    let setup = setup::Setup::augment_subcommands(clap::Command::new("setup"));
    let is_command = |arg: Option<&OsString>| {
        let name = arg.and_then(|arg| arg.to_str()).unwrap_or_default();
        name == "help" || setup.find_subcommand(name).is_some()
    };
    let is_option = |arg: &OsString| arg.to_string_lossy().starts_with('-');
    let may_be_object = args.get(2).is_some_and(|arg| !is_option(arg)) && !is_command(args.get(2));
    if may_be_object && is_command(args.get(3)) {
        args.swap(2, 3);
    }
    args
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
