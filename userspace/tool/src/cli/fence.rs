// SPDX-License-Identifier: GPL-2.0

//! Handlers for a cluster of Pacemaker. What is not given comes from the handler's environment.

use clap::Args;
use std::path::PathBuf;

/// `tandem fence-peer`.
#[derive(Debug, Args)]
pub(crate) struct Fence {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Seconds until the cluster has to know what became of the peer
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    pub(crate) timeout: u64,
}

/// What it is about.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The resource
    #[arg(long, env = "DRBD_RESOURCE", hide_env = true, value_name = "NAME")]
    pub(crate) resource: Option<String>,
    /// Its minors
    #[arg(
        long,
        env = "DRBD_MINOR",
        hide_env = true,
        default_value = "0",
        value_name = "NUMBERS"
    )]
    pub(crate) minor: String,
    /// The peer, as the cluster calls it [default: the only other node]
    #[arg(long, env = "DRBD_PEER", hide_env = true, value_name = "NODE")]
    pub(crate) peer: Option<String>,
    /// The promotable clone [default: the one with that resource]
    #[arg(long, value_name = "ID")]
    pub(crate) clone_id: Option<String>,
    /// Where the states of the disks are read
    #[arg(long, hide = true, default_value = "/proc/drbd")]
    pub(crate) states: PathBuf,
}
