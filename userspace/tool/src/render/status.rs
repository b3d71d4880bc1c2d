// SPDX-License-Identifier: GPL-2.0

//! `status` as text: a paragraph for each resource.

use super::words;
use crate::model::{
    Connection,
    Device,
    PeerDevice,
    Resource, //
};
use std::fmt::Write as _;
use tandem_engine::state::ConnState;

/// How much to show, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// Also what is as it should be.
    pub(crate) verbose: bool,
    /// Figures too.
    pub(crate) statistics: bool,
    /// With colours.
    pub(crate) color: bool,
}

/// All resources.
pub(crate) fn text(resources: &[Resource], style: &Style) -> String {
    let mut out = String::new();
    for resource in resources {
        resource_text(&mut out, resource, style);
        out.push('\n');
    }
    out
}

// Writing to a string cannot fail: results of `write!` are dropped in this file.

fn resource_text(out: &mut String, resource: &Resource, style: &Style) {
    let role = words::role(resource.info.res_role);
    let _ = write!(out, "{} role:{}", resource.name, style.paint(role));
    let suspended = words::suspended(&resource.info);
    if style.verbose || suspended != "no" {
        let _ = write!(out, " suspended:{suspended}");
    }
    if style.statistics {
        let ordering = words::write_ordering(resource.statistics.res_stat_write_ordering);
        let _ = write!(out, "\n    write-ordering:{ordering}");
    }
    out.push('\n');
    let single = matches!(resource.devices.as_slice(), [device] if device.volume == 0);
    for device in &resource.devices {
        device_text(out, device, single, style);
    }
    for connection in &resource.connections {
        connection_text(out, connection, resource, single, style);
    }
}

fn device_text(out: &mut String, device: &Device, single: bool, style: &Style) {
    out.push_str("  ");
    if style.verbose || !single {
        let _ = write!(out, "volume:{} ", device.volume);
        if style.verbose {
            let _ = write!(out, "minor:{} ", device.minor);
        }
    }
    let disk = words::disk(device.info.dev_disk_state);
    let _ = writeln!(out, "disk:{}", style.paint(disk));
    if style.statistics {
        let _ = writeln!(out, "      {}", device_figures(device));
    }
}

/// Figures of a device, as pairs.
pub(crate) fn device_figures(device: &Device) -> String {
    let figures = &device.statistics;
    format!(
        "size:{} read:{} written:{} al-writes:{} bm-writes:{} upper-pending:{} lower-pending:{} \
         al-suspended:{} blocked:{}",
        figures.dev_size / 2,
        figures.dev_read / 2,
        figures.dev_write / 2,
        figures.dev_al_writes,
        figures.dev_bm_writes,
        figures.dev_upper_pending,
        figures.dev_lower_pending,
        words::yes_no(figures.dev_al_suspended),
        words::blocked(figures.dev_upper_blocked, figures.dev_lower_blocked),
    )
}

fn connection_text(
    out: &mut String,
    connection: &Connection,
    resource: &Resource,
    single: bool,
    style: &Style,
) {
    let state = connection.info.conn_connection_state;
    let connected = state >= u32::from(ConnState::Connected.number());
    out.push_str("  peer");
    if style.verbose || !connected {
        let _ = write!(out, " connection:{}", style.paint(words::connection(state)));
    }
    if style.verbose || connected {
        let role = words::role(connection.info.conn_role);
        let _ = write!(out, " role:{}", style.paint(role));
    }
    if style.verbose || connection.statistics.conn_congested {
        let congested = words::yes_no(connection.statistics.conn_congested);
        let _ = write!(out, " congested:{congested}");
    }
    out.push('\n');
    if style.verbose || style.statistics || connected {
        for peer in &connection.devices {
            peer_device_text(out, peer, resource, single, style);
        }
    }
}

fn peer_device_text(
    out: &mut String,
    peer: &PeerDevice,
    resource: &Resource,
    single: bool,
    style: &Style,
) {
    out.push_str("    ");
    if style.verbose || !single {
        let _ = write!(out, "volume:{} ", peer.volume);
    }
    let state = peer.info.peer_repl_state;
    let _ = write!(
        out,
        "replication:{} peer-disk:{}",
        style.paint(words::replication(state)),
        style.paint(words::disk(peer.info.peer_disk_state)),
    );
    if words::is_sync(state) {
        if let Some(done) = percent_in_sync(peer, resource) {
            let _ = write!(out, " done:{done:.2}");
        }
    }
    let suspended = words::resync_suspended(&peer.info);
    if style.verbose || suspended != "no" {
        let _ = write!(out, " resync-suspended:{suspended}");
    }
    out.push('\n');
    if style.statistics {
        let _ = writeln!(out, "        {}", peer_figures(peer));
    }
}

/// Figures of a peer device, as pairs.
pub(crate) fn peer_figures(peer: &PeerDevice) -> String {
    let figures = &peer.statistics;
    format!(
        "received:{} sent:{} out-of-sync:{} pending:{} unacked:{}",
        figures.peer_dev_received / 2,
        figures.peer_dev_sent / 2,
        figures.peer_dev_out_of_sync / 2,
        figures.peer_dev_pending,
        figures.peer_dev_unacked,
    )
}

/// How much of the device is in sync, in percent; `None` without a size.
pub(crate) fn percent_in_sync(peer: &PeerDevice, resource: &Resource) -> Option<f64> {
    let device = resource
        .devices
        .iter()
        .find(|device| device.volume == peer.volume)?;
    let size = device.statistics.dev_size;
    if size == 0 {
        return None;
    }
    let in_sync = size.saturating_sub(peer.statistics.peer_dev_out_of_sync);
    // Hundredths of a percent, exactly; only the last step is a float.
    let hundredths = u128::from(in_sync) * 10_000 / u128::from(size);
    u32::try_from(hundredths).ok().map(|h| f64::from(h) / 100.0)
}

impl Style {
    fn paint(&self, word: &'static str) -> String {
        let color = match word {
            "Primary" | "UpToDate" | "Connected" | "Established" => "32",
            "Diskless" | "Failed" | "Inconsistent" | "StandAlone" | "Unknown" => "31",
            "Outdated" | "Consistent" | "DUnknown" | "Connecting" => "33",
            "SyncSource" | "SyncTarget" | "PausedSyncS" | "PausedSyncT" => "33",
            _ => return word.to_owned(),
        };
        if !self.color {
            return word.to_owned();
        }
        format!("\u{1b}[1;{color}m{word}\u{1b}[0m")
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
