// SPDX-License-Identifier: GPL-2.0

//! The command lines of `drbdmeta` for metadata version v08.

use crate::intent::parse_minor;
use clap::{
    Args,
    Subcommand, //
};
use std::path::PathBuf;
use tandem_engine::options::{
    parse_number,
    Unit, //
};

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
    CreateMd {
        #[command(flatten)]
        log: Log,
        #[command(flatten)]
        peer: PeerSize,
    },
    /// Print everything as text, which restore-md reads
    DumpMd,
    /// Write what dump-md printed, for this device and this place of the metadata
    RestoreMd {
        /// The dump
        file: PathBuf,
        #[command(flatten)]
        log: Log,
    },
    /// Look whether a dump can be restored
    VerifyDump {
        /// The dump
        file: PathBuf,
    },
    /// Take the activity log into the bitmap; needed before attach after a crash
    ApplyAl,
    /// Show the data generations, with explanations
    ShowGi,
    /// Show the data generations on one line
    GetGi,
    /// Set the data generations, and flags; what is left empty stays as it is
    SetGi {
        /// CURRENT:BITMAP:HISTORY:HISTORY:FLAG:..., as get-gi prints them
        generations: String,
    },
    /// Show the state of the disk
    Dstate,
    /// Mark the data as outdated
    Outdate,
    /// Treat the data as bad: the next connection resyncs all of it
    Invalidate,
    /// Move internal metadata to the end of a device that grew
    CheckResize,
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

/// Shape of the activity log.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Log {
    /// Stripes of the activity log
    #[arg(short = 's', long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) al_stripes: Option<u32>,
    /// Size of one stripe of the activity log, in KiB; a multiple of 4
    #[arg(short = 'z', long = "al-stripe-size-kB", value_parser = stripe_size)]
    pub(crate) al_stripe_size: Option<u32>,
}

/// What the peer is thought to take.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct PeerSize {
    /// Largest request that the peer is thought to take, in bytes
    #[arg(short = 'p', long, value_parser = peer_size)]
    pub(crate) peer_max_bio_size: Option<u32>,
}

fn peer_size(text: &str) -> Result<u32, String> {
    number(text, Unit::Bytes, 0, 1 << 20)
}

fn stripe_size(text: &str) -> Result<u32, String> {
    match number(text, Unit::Kib, 4, 16 << 20)? {
        size if size % 4 == 0 => Ok(size),
        _ => Err("is no multiple of 4 KiB".into()),
    }
}

fn number(text: &str, unit: Unit, min: i64, max: i64) -> Result<u32, String> {
    let number = parse_number("size", text, unit).map_err(|error| error.as_str())?;
    u32::try_from(number)
        .ok()
        .filter(|_| (min..=max).contains(&number))
        .ok_or_else(|| format!("is out of range; it can be {min} to {max}"))
}

fn hexadecimal(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|error| error.to_string())
}
