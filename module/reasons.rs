// SPDX-License-Identifier: GPL-2.0

//! Why things are as they are, for debugfs: `tandem/reasons` has a line for each thing that is not
//! as it should be, and for the last end of each connection.
//!
//! ```text
//! RESOURCE SUBJECT SECONDS TEXT
//! r0 connection 35 Split-Brain: this node (Primary, 12 changed blocks (48 KiB) since 40 s), ...
//! ```
//!
//! A space is between the fields; the text goes to the end of the line. SECONDS have passed since.
//! Subjects: `connection`, why it ended the last time; `io`, by what it is frozen now.
#![forbid(unsafe_code)]

use core::fmt;

use kernel::debugfs;
use kernel::sync::Arc;

use crate::device::Device;
use crate::driver::{
    name_of,
    Driver, //
};
use crate::engine::resource::{
    Awaited,
    Changes,
    Ending,
    Loss,
    Notice,
    Why, //
};
use crate::engine::state::ConnState;
use crate::refused_login::RefusedLogin;
use crate::resource::Resource;
use crate::words;

/// What is known of both nodes' changes.
pub struct Parted {
    /// Of this one's.
    pub own: Changes,
    /// Of the peer's.
    pub peer: Changes,
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { own, peer } = self;
        write!(f, "Split-Brain: this node ({own}), peer ({peer})")
    }
}

/// The words for the end of a connection.
struct Words(Why);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Why::Command => f.write_str("disconnected by command"),
            Why::Lost(loss) => f.write_str(match loss {
                Loss::Timeout => "the peer did not answer in time",
                Loss::BrokenPipe => "sending failed",
                Loss::NetworkFailure => "the network or the peer failed",
                Loss::ProtocolError => "a packet was not as it has to be",
                Loss::TearDown => "the peer disconnected",
            }),
            Why::Login(error) => write!(f, "{}", RefusedLogin(error)),
            Why::Found { notice, .. } => found(notice, f),
        }
    }
}

/// One line for what was found.
fn found(notice: Notice, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Notice::SplitBrain { own, peer } = notice {
        return write!(f, "{}", Parted { own, peer });
    }
    let mut result = Ok(());
    let mut first = true;
    words::of_notice(notice, ConnState::StandAlone, &mut |_, line| {
        // The others are advice.
        if core::mem::take(&mut first) {
            result = f.write_fmt(line);
        }
    });
    result
}

/// The file `reasons`.
pub struct File(pub Arc<Driver>);

impl debugfs::Writer for File {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut former = None;
        while let Some(resource) = self.0.resource_after(former) {
            former = Some(name_of(&resource));
            write_connection(&resource, f)?;
            write_frozen(&resource, f)?;
        }
        Ok(())
    }
}

/// By what the I/O of a resource is frozen. What freezes one volume freezes all.
fn write_frozen(resource: &Resource, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut frozen = None;
    resource.glance(|core| {
        core.decisions.waiting(&core.records, |waiting| {
            if matches!(waiting.what, Awaited::Thaw { .. }) {
                frozen.get_or_insert((waiting.since, waiting.what));
            }
        });
    });
    let Some((since, what)) = frozen else {
        return Ok(());
    };
    let seconds = Device::now().since(since) / 1000;
    writeln!(f, "{} io {seconds} {what}", resource.name_str())
}

fn write_connection(resource: &Resource, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let ending = resource.glance(|core| core.decisions.ending());
    let Some(Ending { at, why }) = ending else {
        return Ok(());
    };
    let seconds = Device::now().since(at) / 1000;
    write!(f, "{} connection {seconds} ", resource.name_str())?;
    if let Why::Found {
        volume: Some(number),
        ..
    } = why
    {
        write!(f, "volume {number}: ")?;
    }
    writeln!(f, "{}", Words(why))
}
