// SPDX-License-Identifier: GPL-2.0

//! `status` as text: a paragraph for each resource.

use super::words;
use crate::model::{
    Connection,
    Device,
    PeerDevice,
    Resource, //
};

/// How much to show, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Also what is as it should be.
    pub(crate) verbose: bool,
    /// Figures too.
    pub(crate) statistics: bool,
    /// With colours.
    pub(crate) color: bool,
    /// Columns after which a line is wrapped.
    pub(crate) width: usize,
}

/// Text in the making: words, wrapped where a line gets too long.
struct Page {
    text: String,
    /// Columns of the line so far.
    column: usize,
    style: Style,
}

impl Page {
    /// Begins a line.
    fn begin(&mut self, indent: usize) {
        self.text.push_str(&" ".repeat(indent));
        self.column = indent;
    }

    /// Adds a word; on a new line with `indent` when this one is full.
    fn word(&mut self, indent: usize, word: &str) {
        self.put(indent, word.len(), word);
    }

    /// Adds `name:state`, the state in its colour.
    fn state(&mut self, indent: usize, name: &str, state: &str) {
        let columns = name.len() + 1 + state.len();
        let word = format!("{name}:{}", self.style.paint(state));
        self.put(indent, columns, &word);
    }

    fn put(&mut self, indent: usize, columns: usize, word: &str) {
        let starts = self.text.ends_with([' ', '\n']) || self.text.is_empty();
        if !starts && self.column + 1 + columns > self.style.width {
            self.end();
            self.begin(indent);
        } else if !starts {
            self.text.push(' ');
            self.column += 1;
        }
        self.text.push_str(word);
        self.column += columns;
    }

    /// Ends the line.
    fn end(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    /// A whole line of words.
    fn line(&mut self, indent: usize, words: &[String]) {
        self.begin(indent);
        for word in words {
            self.word(indent, word);
        }
        self.end();
    }
}

/// All resources.
pub(crate) fn text(resources: &[Resource], style: &Style) -> String {
    let mut page = Page {
        text: String::new(),
        column: 0,
        style: *style,
    };
    for resource in resources {
        resource_text(&mut page, resource);
        page.end();
    }
    page.text
}

fn resource_text(page: &mut Page, resource: &Resource) {
    let style = page.style;
    page.word(0, &resource.name);
    page.state(4, "role", words::role(resource.info.res_role));
    let suspended = words::suspended(&resource.info);
    if style.verbose || suspended != "no" {
        page.word(4, &format!("suspended:{suspended}"));
    }
    page.end();
    if style.statistics && style.verbose {
        let ordering = words::write_ordering(resource.statistics.res_stat_write_ordering);
        page.line(4, &[format!("write-ordering:{ordering}")]);
    }
    let single = matches!(resource.devices.as_slice(), [device] if device.volume == 0);
    for device in &resource.devices {
        device_text(page, device, single);
    }
    for connection in &resource.connections {
        connection_text(page, connection, resource, single);
    }
    reasons_text(page, resource);
}

/// What is not as it should be, and why.
fn reasons_text(page: &mut Page, resource: &Resource) {
    let connected = |c: &Connection| words::is_connected(c.info.conn_connection_state);
    let connected = resource.connections.iter().any(connected);
    for reason in &resource.reasons {
        let over = reason.subject == "connection" && connected;
        if !over || page.style.verbose {
            let text = format!(
                "{} ({} s ago): {}",
                reason.subject, reason.seconds, reason.text
            );
            page.line(6, &text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        }
    }
}

fn device_text(page: &mut Page, device: &Device, single: bool) {
    let style = page.style;
    page.begin(2);
    if style.verbose || !single {
        page.word(6, &format!("volume:{}", device.volume));
    }
    if style.verbose {
        page.word(6, &format!("minor:{}", device.minor));
    }
    page.state(6, "disk", words::disk(device.info.dev_disk_state));
    let figures = &device.statistics;
    let blocked = words::blocked(figures.dev_upper_blocked, figures.dev_lower_blocked);
    let in_figures = style.statistics && style.verbose;
    if (style.verbose || blocked != "no") && !in_figures {
        page.word(6, &format!("blocked:{blocked}"));
    }
    page.end();
    if style.statistics {
        page.line(6, &device_figures(device, style.verbose));
    }
}

fn device_figures(device: &Device, all: bool) -> Vec<String> {
    let figures = &device.statistics;
    let (read, written) = (figures.dev_read / 2, figures.dev_write / 2);
    if !all {
        return vec![format!("read:{read}"), format!("written:{written}")];
    }
    vec![
        format!("size:{}", figures.dev_size / 2),
        format!("read:{read}"),
        format!("written:{written}"),
        format!("al-writes:{}", figures.dev_al_writes),
        format!("bm-writes:{}", figures.dev_bm_writes),
        format!("upper-pending:{}", figures.dev_upper_pending),
        format!("lower-pending:{}", figures.dev_lower_pending),
        format!("al-suspended:{}", words::yes_no(figures.dev_al_suspended)),
        format!(
            "blocked:{}",
            words::blocked(figures.dev_upper_blocked, figures.dev_lower_blocked)
        ),
    ]
}

fn connection_text(page: &mut Page, connection: &Connection, resource: &Resource, single: bool) {
    let style = page.style;
    let state = connection.info.conn_connection_state;
    let connected = words::is_connected(state);
    page.begin(2);
    page.word(6, "peer");
    if style.verbose || !connected {
        page.state(6, "connection", words::connection(state));
    }
    if style.verbose || connected {
        page.state(6, "role", words::role(connection.info.conn_role));
    }
    let congested = connection.statistics.conn_congested;
    if style.verbose || congested {
        page.word(6, &format!("congested:{}", words::yes_no(congested)));
    }
    page.end();
    if style.verbose || style.statistics || connected {
        for peer in &connection.devices {
            peer_device_text(page, peer, resource, single);
        }
    }
}

fn peer_device_text(page: &mut Page, peer: &PeerDevice, resource: &Resource, single: bool) {
    let style = page.style;
    page.begin(4);
    if style.verbose || !single {
        page.word(8, &format!("volume:{}", peer.volume));
    }
    let state = peer.info.peer_repl_state;
    page.state(8, "replication", words::replication(state));
    page.state(8, "peer-disk", words::disk(peer.info.peer_disk_state));
    if words::is_sync(state) {
        if let Some(done) = percent_in_sync(peer, resource) {
            page.word(8, &format!("done:{done:.2}"));
        }
    }
    let suspended = words::resync_suspended(&peer.info);
    if style.verbose || suspended != "no" {
        page.word(8, &format!("resync-suspended:{suspended}"));
    }
    page.end();
    if style.statistics {
        page.line(8, &peer_figures(peer, style.verbose));
    }
}

fn peer_figures(peer: &PeerDevice, all: bool) -> Vec<String> {
    let figures = &peer.statistics;
    let mut shown = vec![
        format!("received:{}", figures.peer_dev_received / 2),
        format!("sent:{}", figures.peer_dev_sent / 2),
        format!("out-of-sync:{}", figures.peer_dev_out_of_sync / 2),
    ];
    if all {
        shown.push(format!("pending:{}", figures.peer_dev_pending));
        shown.push(format!("unacked:{}", figures.peer_dev_unacked));
    }
    shown
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
    fn paint(&self, word: &str) -> String {
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
