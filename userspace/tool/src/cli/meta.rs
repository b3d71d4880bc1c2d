// SPDX-License-Identifier: GPL-2.0

//! The command lines of `drbdmeta` for metadata version v08.

use crate::intent::parse_minor;
use clap::{
    Args,
    Subcommand, //
};
use std::path::PathBuf;

/// `drbdmeta`.
#[derive(Debug, Args)]
pub(crate) struct Meta {
    /// Ask nothing: every answer is yes
    #[arg(short, long, global = true)]
    pub(crate) force: bool,
    /// Write metadata even where it damages what is on the device
    #[arg(long, global = true)]
    pub(crate) ignore_sanity_checks: bool,
    /// Minor number that the disk belongs to, or "-" for none
    #[arg(value_parser = minor_or_none)]
    pub(crate) minor: MetaMinor,
    /// Version of the metadata
    #[arg(value_parser = ["v08"])]
    pub(crate) version: String,
    /// Device with the metadata
    pub(crate) device: PathBuf,
    /// "internal", "flex-external", or an index from 0
    #[arg(allow_hyphen_values = true)]
    pub(crate) index: String,
    #[command(subcommand)]
    pub(crate) command: MetaCommand,
}

/// A minor, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MetaMinor(pub(crate) Option<u32>);

fn minor_or_none(text: &str) -> Result<MetaMinor, String> {
    match text {
        "-" => Ok(MetaMinor(None)),
        text => parse_minor(text).map(|minor| MetaMinor(Some(minor))),
    }
}

/// What to do with the metadata.
#[derive(Debug, Subcommand)]
pub(crate) enum MetaCommand {
    /// Write new metadata
    CreateMd,
    /// Print everything as text, which restore-md of drbdmeta reads
    DumpMd,
    /// Take the activity log into the bitmap; needed before attach after a crash
    ApplyAl,
    /// Show the data generations, with explanations
    ShowGi,
    /// Show the data generations on one line
    GetGi,
    /// Show the state of the disk
    Dstate,
    /// Destroy the metadata
    WipeMd,
    /// Print the number by which drbdadm knows the device
    ReadDevUuid,
    /// Change the number by which drbdadm knows the device
    WriteDevUuid {
        /// New number, in hexadecimal
        #[arg(value_parser = hexadecimal)]
        uuid: u64,
    },
}

fn hexadecimal(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|error| error.to_string())
}
