// SPDX-License-Identifier: GPL-2.0

//! `/proc/drbd`: the version, and two to four lines for each device.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::seq_print;
use kernel::sync::Arc;

use crate::device::Device;
use crate::driver::Driver;
use crate::engine::control::FAMILY_VERSION;
use crate::engine::options::WireProtocol;
use crate::engine::resource::VolumeRecord;
use crate::engine::state::{
    ConnState,
    DiskState,
    Role, //
};
use crate::engine::volume::Progress;
use crate::engine::wire::{
    PROTOCOL_MAX,
    PROTOCOL_MIN, //
};
use crate::status::{
    Figures,
    View, //
};
use crate::sys::params;
use crate::sys::procfs::Show;

/// The version of DRBD that this is compatible with; tools choose their language by it.
pub const VERSION: &str = "8.4.11";

/// What stands where the C module has a digest of its source.
pub const SRCVERSION: &str = "TANDEM";

/// KiB that one bit of the bitmap stands for.
const KIB_PER_BIT: u64 = 4;

/// Above so many bits (4 GiB), the bar counts in MiB.
const BITS_SHOWN_AS_KIB: u64 = 4 << (30 - 12);

/// A resync that got nothing done for so long is called stalled.
const STALLED_SECONDS: u64 = 180;

/// What the file shows.
pub struct Devices {
    driver: Arc<Driver>,
}

impl Devices {
    /// Shows the devices of the module.
    pub fn new(driver: &Arc<Driver>) -> Self {
        Self {
            driver: driver.clone(),
        }
    }
}

impl Show for Devices {
    fn show(&self, to: &SeqFile) -> Result {
        seq_print!(
            to,
            "version: {} (api:{}/proto:{}-{})\n",
            VERSION,
            FAMILY_VERSION,
            PROTOCOL_MIN,
            PROTOCOL_MAX
        );
        seq_print!(to, "srcversion: {:<24}\n", SRCVERSION);
        let mut next = 0;
        while let Some(device) = self.driver.device_from(next) {
            if device.minor != next {
                seq_print!(to, "\n");
            }
            next = device.minor + 1;
            let resource = &device.resource;
            resource.glance(|core| {
                let view = View { resource, core };
                if let Some(record) = core.record(&device) {
                    show_device(to, &view, record, &device);
                }
            });
        }
        Ok(())
    }
}

/// The letter for a flag, or a dash.
fn flag(on: bool, letter: char) -> char {
    if on {
        letter
    } else {
        '-'
    }
}

fn show_device(to: &SeqFile, view: &View<'_>, record: &VolumeRecord, device: &Device) {
    let state = record.state;
    let conn = state.conn;
    let idle = conn == ConnState::StandAlone && state.disk == DiskState::Diskless;
    if idle && state.role == Role::Secondary {
        seq_print!(to, "{:2}: cs:Unconfigured\n", record.minor);
        return;
    }
    let protocol = match view.net_conf().map(|conf| conf.options.protocol) {
        None => ' ',
        Some(WireProtocol::A) => 'A',
        Some(WireProtocol::B) => 'B',
        Some(WireProtocol::C) => 'C',
    };
    seq_print!(
        to,
        "{:2}: cs:{} ro:{}/{} ds:{}/{} {} {}{}{}{}{}{}\n",
        record.minor,
        conn.as_str(),
        state.role.as_str(),
        state.peer.as_str(),
        state.disk.as_str(),
        state.peer_disk.as_str(),
        protocol,
        if state.is_suspended() { 's' } else { 'r' },
        flag(state.aftr_isp, 'a'),
        flag(state.peer_isp, 'p'),
        flag(state.user_isp, 'u'),
        // The congestion of the network, which nothing reports.
        '-',
        '-'
    );
    let figures = Figures::of(device);
    show_figures(to, view, &figures);
    if matches!(
        conn,
        ConnState::SyncSource | ConnState::SyncTarget | ConnState::VerifyS | ConnState::VerifyT
    ) {
        show_progress(to, record, &figures);
    }
    if params::proc_details() >= 1 {
        show_log(to, device);
    }
}

/// How the activity log is used, and from `proc_details` 2 on, who waits for it.
fn show_log(to: &SeqFile, device: &Device) {
    let (log, waiting) = {
        let volume = device.volume.lock();
        (volume.log_use(), volume.waiting_for_log())
    };
    if let Some(log) = log {
        let (used, slots, seen) = (log.used, log.slots, log.usage);
        seq_print!(
            to,
            "\tact_log: used:{}/{} hits:{} misses:{} ",
            used,
            slots,
            seen.hits,
            seen.misses
        );
        seq_print!(
            to,
            "starving:{} locked:{} changed:{}\n",
            seen.starving,
            seen.locked,
            seen.changed
        );
    }
    if params::proc_details() >= 2 {
        seq_print!(to, "\tblocked on activity log: {}\n", waiting);
    }
}

/// Where resync or verify is, in sectors.
fn show_position(to: &SeqFile, record: &VolumeRecord, figures: &Figures) {
    const SECTORS_PER_BIT: u64 = 8;
    let conn = record.state.conn;
    let verify = matches!(conn, ConnState::VerifyS | ConnState::VerifyT);
    let at = if verify {
        figures.blocks.saturating_sub(figures.left)
    } else {
        figures.cursor.min(figures.blocks)
    };
    seq_print!(
        to,
        "\t{:3}% sector pos: {}/{}",
        at / (figures.blocks / 100 + 1),
        at * SECTORS_PER_BIT,
        figures.blocks * SECTORS_PER_BIT
    );
    if verify && record.verify.stop != u64::MAX {
        seq_print!(to, " stop sector: {}", record.verify.stop);
    }
    seq_print!(to, "\n");
}

fn show_figures(to: &SeqFile, view: &View<'_>, figures: &Figures) {
    let counters = &figures.counters;
    let order = view.core.decisions.write_order().letter();
    seq_print!(
        to,
        "    ns:{} nr:{} dw:{} dr:{} al:{} bm:{} ",
        counters.sent / 2,
        counters.received / 2,
        counters.written / 2,
        counters.read / 2,
        counters.log_writes,
        counters.bitmap_writes
    );
    seq_print!(
        to,
        "lo:{} pe:{} ua:{} ap:{} ep:{} wo:{} oos:{}\n",
        counters.local_pending,
        counters.peer_pending,
        counters.unanswered,
        counters.application_pending,
        // The epoch that is being filled counts too.
        view.resource.link.unacked_epochs().max(1),
        order,
        figures.out_of_sync * KIB_PER_BIT
    );
}

/// A number of KiB/s with commas.
fn show_rate(to: &SeqFile, rate: u64) {
    if rate >= 1_000_000 {
        let thousands = rate / 1000;
        let (high, middle) = (thousands / 1000, thousands % 1000);
        seq_print!(to, "{},{:03},{:03}", high, middle, rate % 1000);
    } else if rate >= 1000 {
        seq_print!(to, "{},{:03}", rate / 1000, rate % 1000);
    } else {
        seq_print!(to, "{}", rate);
    }
}

/// Thousandths of a resync that are done.
fn per_mille(total: u64, left: u64) -> u64 {
    if left > total {
        return if total == 0 { 1000 } else { 0 };
    }
    // The same rounding as DRBD's, which monitors compare.
    let shift = if total > u64::from(u32::MAX) { 16 } else { 10 };
    1000 - (left >> shift) * 1000 / (1 + (total >> shift))
}

fn show_progress(to: &SeqFile, record: &VolumeRecord, figures: &Figures) {
    let conn = record.state.conn;
    let verify = matches!(conn, ConnState::VerifyS | ConnState::VerifyT);
    let resync = figures.resync.unwrap_or_default();
    let left = figures.left.min(resync.total);
    let done = per_mille(resync.total, left);
    let bar = done / 50;
    seq_print!(to, "\t[");
    for _ in 1..bar {
        seq_print!(to, "=");
    }
    seq_print!(to, ">");
    for _ in bar..20 {
        seq_print!(to, ".");
    }
    let word = if verify { "verified:" } else { "sync'ed:" };
    seq_print!(to, "] {}{:3}.{}% ", word, done / 10, done % 10);
    if resync.total > BITS_SHOWN_AS_KIB {
        let mib = |bits: u64| (bits >> 10) * KIB_PER_BIT;
        seq_print!(to, "({}/{})M\n\t", mib(left), mib(resync.total));
    } else {
        let kib = |bits: u64| bits * KIB_PER_BIT;
        seq_print!(to, "({}/{})K\n\t", kib(left), kib(resync.total));
    }
    show_speed(to, record, figures, resync);
}

/// KiB/s of so many blocks in so many seconds.
fn rate(blocks: u64, seconds: u64) -> u64 {
    blocks / seconds.max(1) * KIB_PER_BIT
}

fn show_speed(to: &SeqFile, record: &VolumeRecord, figures: &Figures, resync: Progress) {
    let now = Device::now();
    let pace = figures.pace;
    let left = figures.left.min(resync.total);
    // Of the last half minute: what it will take is better told from that than from the whole.
    let since_mark = now.since(pace.mark) / 1000;
    let done = pace.left.saturating_sub(left);
    let remaining = since_mark.max(1) * (left / (done / 100 + 1)) / 100;
    seq_print!(
        to,
        "finish: {}:{:02}:{:02} speed: ",
        remaining / 3600,
        remaining % 3600 / 60,
        remaining % 60
    );
    show_rate(to, rate(done, since_mark));
    seq_print!(to, " (");
    if params::proc_details() >= 1 {
        let seconds = now.since(pace.recent) / 1000;
        show_rate(to, rate(pace.recent_left.saturating_sub(left), seconds));
        seq_print!(to, " -- ");
    }
    let seconds = now.since(resync.started) / 1000;
    show_rate(to, rate(resync.total - left, seconds));
    seq_print!(to, ")");
    if matches!(
        record.state.conn,
        ConnState::SyncTarget | ConnState::VerifyS
    ) {
        seq_print!(to, " want: ");
        show_rate(to, pace.want.into());
    }
    let stalled = if since_mark > STALLED_SECONDS {
        " (stalled)"
    } else {
        ""
    };
    seq_print!(to, " K/sec{}\n", stalled);
    if params::proc_details() >= 1 {
        show_position(to, record, figures);
    }
}
