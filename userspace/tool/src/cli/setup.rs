// SPDX-License-Identifier: GPL-2.0

//! The command lines of `drbdsetup` 8.4.

use super::options::{
    number,
    OptionArgs, //
};
use crate::intent::{
    parse_endpoint,
    parse_minor, //
};
use clap::{
    Args,
    Subcommand, //
};
use std::path::PathBuf;
use tandem_engine::{
    control::NetAddress,
    options::{
        DiskOptions,
        NetOptions,
        ResourceOptions, //
    }, //
};

/// `--force`, which may also be `--force=yes` or `--force=no`.
#[derive(Debug, Args)]
pub(crate) struct Force {
    /// Do it even where it is dangerous
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "yes",
          value_name = "yes|no", value_parser = yes_no)]
    force: Option<bool>,
}

impl Force {
    /// What was given, if anything.
    pub(crate) fn given(&self) -> Option<bool> {
        self.force
    }
}

/// The two ends of a connection.
#[derive(Debug, Args)]
pub(crate) struct Ends {
    /// Own end: [ipv4:|ipv6:]ADDRESS[:PORT]
    #[arg(value_name = "LOCAL_ADDR", value_parser = parse_endpoint)]
    pub(crate) local: NetAddress,
    /// The peer's end: [ipv4:|ipv6:]ADDRESS[:PORT]
    #[arg(value_name = "REMOTE_ADDR", value_parser = parse_endpoint)]
    pub(crate) remote: NetAddress,
}

/// A minor number, or the path of its device.
#[derive(Debug, Args)]
pub(crate) struct Minor {
    /// Minor number, or path of the device
    #[arg(value_parser = parse_minor)]
    pub(crate) minor: u32,
}

/// Timeouts of the two commands that wait.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    pub(crate) minor: Minor,
    /// Seconds to wait; 0: without end
    #[arg(short = 't', long, default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(..=300_000))]
    pub(crate) wfc_timeout: u32,
    /// Seconds to wait if this was a degraded cluster before it went down
    #[arg(short = 'd', long, value_parser = clap::value_parser!(u32).range(..=300_000))]
    pub(crate) degr_wfc_timeout: Option<u32>,
    /// Seconds to wait if the peer's disk is outdated
    #[arg(short = 'o', long, value_parser = clap::value_parser!(u32).range(..=300_000))]
    pub(crate) outdated_wfc_timeout: Option<u32>,
    /// Wait even if the node is StandAlone, as after a split brain
    #[arg(short = 'w', long, num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", value_name = "yes|no", value_parser = yes_no)]
    pub(crate) wait_after_sb: Option<bool>,
}

/// Which objects a report is about.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Name of a resource, minor number, or "all"
    #[arg(value_name = "RESOURCE|MINOR|ALL")]
    pub(crate) which: Option<String>,
}

impl Which {
    /// What was given; `None` for all.
    pub(crate) fn given(&self) -> Option<&str> {
        self.which.as_deref().filter(|which| *which != "all")
    }
}

/// `drbdsetup`.
#[derive(Debug, Subcommand)]
pub(crate) enum Setup {
    /// Create a resource
    NewResource {
        /// Name of the resource
        resource: String,
        #[command(flatten)]
        options: OptionArgs<ResourceOptions, true>,
    },
    /// Change options of a resource
    ResourceOptions {
        /// Name of the resource
        resource: String,
        /// Set all options that are not given to their defaults
        #[arg(long)]
        set_defaults: bool,
        #[command(flatten)]
        options: OptionArgs<ResourceOptions, false>,
    },
    /// Create a volume of a resource, with its block device
    NewMinor {
        /// Name of the resource
        resource: String,
        /// Minor number of the new block device
        #[arg(value_parser = parse_minor)]
        minor: u32,
        /// Volume number; the same on both nodes
        volume: u32,
    },
    /// Delete a volume
    DelMinor(Minor),
    /// Delete a resource
    DelResource {
        /// Name of the resource
        resource: String,
    },
    /// Attach a lower device to a minor
    Attach {
        #[command(flatten)]
        minor: Minor,
        /// Lower device
        lower_dev: PathBuf,
        /// Device with the metadata; the lower device for internal metadata
        meta_data_dev: PathBuf,
        /// "internal", "flexible", or an index from 0
        #[arg(allow_hyphen_values = true)]
        meta_data_index: String,
        #[command(flatten)]
        options: OptionArgs<DiskOptions, true>,
    },
    /// Change options of a disk
    DiskOptions {
        #[command(flatten)]
        minor: Minor,
        /// Set all options that are not given to their defaults
        #[arg(long)]
        set_defaults: bool,
        #[command(flatten)]
        options: OptionArgs<DiskOptions, false>,
    },
    /// Detach the lower device
    Detach {
        #[command(flatten)]
        minor: Minor,
        #[command(flatten)]
        force: Force,
    },
    /// Connect to the peer
    Connect {
        /// Name of the resource
        resource: String,
        #[command(flatten)]
        ends: Ends,
        #[command(flatten)]
        options: OptionArgs<NetOptions, true>,
    },
    /// Change options of a connection
    NetOptions {
        #[command(flatten)]
        ends: Ends,
        /// Set all options that are not given to their defaults
        #[arg(long)]
        set_defaults: bool,
        #[command(flatten)]
        options: OptionArgs<NetOptions, false>,
    },
    /// End a connection
    Disconnect {
        #[command(flatten)]
        ends: Ends,
        #[command(flatten)]
        force: Force,
    },
    /// Take in a new size of the lower devices
    Resize(Resize),
    /// Become Primary
    Primary {
        #[command(flatten)]
        minor: Minor,
        /// Take the local data as up to date, whatever is in it
        #[arg(short = 'o', long, alias = "overwrite-data-of-peer", num_args = 0..=1,
              require_equals = true, default_missing_value = "yes", value_name = "yes|no",
              value_parser = yes_no)]
        force: Option<bool>,
    },
    /// Become Secondary
    Secondary(Minor),
    /// Start a new data generation
    NewCurrentUuid {
        #[command(flatten)]
        minor: Minor,
        /// Clear the bitmap: the disks of both nodes are equal
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "yes",
              value_name = "yes|no", value_parser = yes_no)]
        clear_bitmap: Option<bool>,
    },
    /// Treat the local data as bad and resync it from the peer
    Invalidate(Minor),
    /// Treat the peer's data as bad and resync it from here
    InvalidateRemote(Minor),
    /// Pause the resync
    PauseSync(Minor),
    /// Let the resync go on
    ResumeSync(Minor),
    /// Hold I/O of applications back
    SuspendIo(Minor),
    /// Let I/O of applications go on
    ResumeIo(Minor),
    /// Mark the local data as outdated
    Outdate(Minor),
    /// Compare the disks of both nodes
    Verify {
        #[command(flatten)]
        minor: Minor,
        /// First sector [default: where the last verify ended]
        #[arg(long, value_parser = number::<u64>("start"))]
        start: Option<u64>,
        /// Sector to stop at [default: the end]
        #[arg(long, value_parser = number::<u64>("stop"))]
        stop: Option<u64>,
    },
    /// Take a resource down completely; with --force without asking the peer, waiting for the disk,
    /// or leaving I/O frozen
    Down {
        /// Name of the resource
        resource: String,
        #[command(flatten)]
        force: Force,
    },
    /// Show the roles of both nodes
    #[command(alias = "state")]
    Role(Minor),
    /// Show the state of the connection
    Cstate(Minor),
    /// Show the states of both disks
    Dstate(Minor),
    /// Show the data generations, with explanations
    ShowGi(Minor),
    /// Show the data generations on one line
    GetGi(Minor),
    /// Show the configuration, as the kernel has it
    Show {
        #[command(flatten)]
        which: Which,
        /// Show also options that have their default
        #[arg(short = 'D', long)]
        show_defaults: bool,
    },
    /// Show the state of resources
    Status(Status),
    /// Show the state as shell variables
    ShStatus(Which),
    /// Show the state and then every change of it
    Events2(Events2),
    /// The same in the form of DRBD 8.3 and 8.4.0
    Events(Which),
    /// Remember the size of the lower device, for check-resize of drbdmeta
    CheckResize(Minor),
    /// Show names for udev: of the device, and of links to it
    Udev(Minor),
    /// Describe a command in XML: arguments, and options with type, range, default and unit
    XmlHelp {
        /// Name of the command
        command: String,
    },
    /// Wait until a minor is connected
    WaitConnect(Wait),
    /// Wait until a minor is connected and no resync runs
    WaitSync(Wait),
}

/// `resize`.
#[derive(Debug, Args)]
pub(crate) struct Resize {
    #[command(flatten)]
    pub(crate) minor: Minor,
    /// New size, in sectors or with a unit; 0 or absent: as large as possible
    #[arg(long, value_parser = number::<u64>("size"))]
    pub(crate) size: Option<u64>,
    /// The peer is not there, but has the space
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "yes",
          value_name = "yes|no", value_parser = yes_no)]
    pub(crate) assume_peer_has_space: Option<bool>,
    /// The new part is equal on both nodes: do not resync it
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "yes",
          value_name = "yes|no", value_parser = yes_no)]
    pub(crate) assume_clean: Option<bool>,
    /// Stripes of the activity log
    #[arg(long, value_parser = number::<u32>("al-stripes"))]
    pub(crate) al_stripes: Option<u32>,
    /// Size of one stripe of the activity log, in KiB
    #[arg(long = "al-stripe-size-kB", value_parser = number::<u32>("al-stripe-size-kB"))]
    pub(crate) al_stripe_size: Option<u32>,
}

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Show more, also what is as it should be
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Show figures
    #[arg(short, long)]
    pub(crate) statistics: bool,
    /// For machines
    #[arg(long)]
    pub(crate) json: bool,
    /// always, auto or never
    #[arg(short, long, num_args = 0..=1, require_equals = true,
          default_missing_value = "always",
          value_parser = ["always", "auto", "never"])]
    pub(crate) color: Option<String>,
    /// Show it again at every change, and after so many seconds [default: 2]
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "2",
          value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) watch: Option<u32>,
}

/// `events2`.
#[derive(Debug, Args)]
pub(crate) struct Events2 {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Put the time before each line
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// Show figures
    #[arg(long)]
    pub(crate) statistics: bool,
    /// End after the state of now
    #[arg(long)]
    pub(crate) now: bool,
    /// An object in JSON on each line, for machines
    #[arg(long)]
    pub(crate) json: bool,
}

fn yes_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("it can be yes or no".into()),
    }
}
