// SPDX-License-Identifier: GPL-2.0

//! Tells the world what changed: the kernel log, user space, the block device's flags.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::Ordering;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::control::reply::{
    header,
    put_block, //
};
use crate::control::Control;
use crate::device::Device;
use crate::engine::control::{
    Command,
    HelperInfo,
    Notification,
    NotificationHeader,
    NotificationType,
    RetCode,
    NO_MINOR, //
};
use crate::engine::options::FixedStr;
use crate::engine::resource::{
    Notice,
    VolumeRecord, //
};
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role, //
};
use crate::resource::{
    Core,
    Resource, //
};
use crate::status::{
    device_info,
    is_blocked,
    peer_device_info,
    About,
    Summary,
    View, //
};
use crate::sys::genl::{
    Builder,
    Family,
    MESSAGE_SIZE, //
};
use crate::sys::lock::{
    Mutex,
    MutexGuard, //
};
use crate::sys::log::{
    self,
    Level, //
};
use crate::words;

/// Number before the first event's.
const FIRST_SEQUENCE: u32 = 2;

/// The way to user space.
struct Channel {
    family: Option<Family<Control>>,
    /// Number of the last event about a state; listeners notice a gap.
    state_sequence: u32,
    /// Number of the last event of the old form.
    event_sequence: u32,
}

impl Channel {
    fn send(
        &self,
        sequence: u32,
        command: Command,
        minor: u32,
        fill: impl FnOnce(&mut Builder) -> Result,
    ) {
        let Some(family) = &self.family else {
            return;
        };
        let events = family.events();
        let sent = events
            .message(MESSAGE_SIZE, sequence, command.number())
            .and_then(|mut message| {
                message.body().set_header(header(minor, RetCode::NO_ERROR));
                fill(message.body())?;
                events.multicast(message)
            });
        if let Err(error) = sent {
            log::print(
                Level::Error,
                format_args!("drbd"),
                format_args!(
                    "event {} was not sent: {}",
                    sequence,
                    words::of_error(error)
                ),
            );
        }
    }
}

/// Sends events to user space, in order.
pub struct Notifier {
    channel: Mutex<Channel>,
}

/// Which blocks an event has, beside what it is about.
type Part<'a> = (NotificationType, &'a View<'a>);

/// Events that belong together: nobody else's come in between.
struct Batch<'a>(MutexGuard<'a, Channel>);

impl Notifier {
    /// A notifier that nobody listens to yet. May sleep.
    pub fn new() -> Result<Self> {
        let channel = Channel {
            family: None,
            state_sequence: FIRST_SEQUENCE,
            event_sequence: FIRST_SEQUENCE,
        };
        Ok(Self {
            channel: crate::mutex!(channel, c"tandem_events")?,
        })
    }

    /// Events go out from here on. May sleep.
    pub fn open(&self, family: Family<Control>) {
        self.channel.lock().family = Some(family);
    }

    /// Takes the family away: no command comes in and no event goes out any more. May sleep, waits
    /// for all commands that are being done.
    pub fn close(&self) {
        // A command may be about to send an event, so not while the channel is locked.
        let family = self.channel.lock().family.take();
        drop(family);
    }

    fn batch(&self) -> Batch<'_> {
        Batch(self.channel.lock())
    }
}

impl Batch<'_> {
    fn send(&mut self, command: Command, minor: u32, fill: impl FnOnce(&mut Builder) -> Result) {
        let channel = &mut *self.0;
        channel.state_sequence = channel.state_sequence.wrapping_add(1);
        channel.send(channel.state_sequence, command, minor, fill);
    }

    fn event(&mut self, minor: u32, fill: impl FnOnce(&mut Builder) -> Result) {
        let channel = &mut *self.0;
        channel.event_sequence = channel.event_sequence.wrapping_add(1);
        channel.send(channel.event_sequence, Command::Event, minor, fill);
    }

    fn resource(&mut self, (kind, view): Part<'_>, more: bool) {
        self.send(Command::ResourceState, NO_MINOR, |to| {
            put_resource_event(to, view, kind, more)
        });
    }

    fn connection(&mut self, (kind, view): Part<'_>, conn: ConnState, more: bool) {
        self.send(Command::ConnectionState, NO_MINOR, |to| {
            put_connection_event(to, view, conn, kind, more)
        });
    }

    fn device(&mut self, (kind, view): Part<'_>, at: usize, state: DeviceState, more: bool) {
        let minor = view.core.records.get(at).map_or(NO_MINOR, |r| r.minor);
        self.send(Command::DeviceState, minor, |to| {
            put_device_event(to, view, at, state, kind, more)
        });
    }

    fn peer_device(&mut self, (kind, view): Part<'_>, at: usize, state: DeviceState, more: bool) {
        self.send(Command::PeerDeviceState, NO_MINOR, |to| {
            put_peer_device_event(to, view, at, state, kind, more)
        });
    }
}

fn put_kind(to: &mut Builder, kind: NotificationType, more: bool) -> Result {
    let number = Notification {
        kind,
        continues: more,
    }
    .number();
    put_block(to, &NotificationHeader { nh_type: number }, false)
}

/// Fills an event about a resource. Errors: `EMSGSIZE` if there is no room.
pub fn put_resource_event(
    to: &mut Builder,
    view: &View<'_>,
    kind: NotificationType,
    more: bool,
) -> Result {
    put_block(to, &view.context(false, None), false)?;
    put_kind(to, kind, more)?;
    if kind != NotificationType::Destroy {
        // As it was told last: what happened since comes behind.
        put_block(to, &view.core.told.resource_info(), false)?;
    }
    put_block(to, &view.resource_statistics(), false)
}

/// Fills an event about a connection. Errors: `EMSGSIZE` if there is no room.
pub fn put_connection_event(
    to: &mut Builder,
    view: &View<'_>,
    conn: ConnState,
    kind: NotificationType,
    more: bool,
) -> Result {
    put_block(to, &view.context(true, None), false)?;
    put_kind(to, kind, more)?;
    if kind != NotificationType::Destroy {
        let mut info = view.connection_info();
        info.conn_connection_state = conn as u32;
        // Not as it is: of what happened to several volumes at once, some may be still to be told.
        info.conn_role = view.core.told.peer as u32;
        put_block(to, &info, false)?;
    }
    put_block(to, &view.connection_statistics(), false)
}

fn volume<'a>(view: &View<'a>, at: usize) -> Result<(&'a VolumeRecord, &'a Arc<Device>)> {
    let record = view.core.records.get(at).ok_or(ENODEV)?;
    let device = view.core.devices.get(at).ok_or(ENODEV)?;
    Ok((record, device))
}

/// Fills an event about a device. Errors: `EMSGSIZE` if there is no room.
pub fn put_device_event(
    to: &mut Builder,
    view: &View<'_>,
    at: usize,
    state: DeviceState,
    kind: NotificationType,
    more: bool,
) -> Result {
    let (record, device) = volume(view, at)?;
    put_block(to, &view.context(false, Some(record.number)), false)?;
    put_kind(to, kind, more)?;
    if kind != NotificationType::Destroy {
        put_block(to, &device_info(state), false)?;
    }
    let mut statistics = view.device_statistics(record, device);
    // As at the moment of the change, even where more has happened since.
    statistics.dev_upper_blocked = is_blocked(state);
    put_block(to, &statistics, false)
}

/// Fills an event about a device at the peer. Errors: `EMSGSIZE` if there is no room.
pub fn put_peer_device_event(
    to: &mut Builder,
    view: &View<'_>,
    at: usize,
    state: DeviceState,
    kind: NotificationType,
    more: bool,
) -> Result {
    let (record, device) = volume(view, at)?;
    put_block(to, &view.context(true, Some(record.number)), false)?;
    put_kind(to, kind, more)?;
    if kind != NotificationType::Destroy {
        put_block(to, &peer_device_info(state), false)?;
    }
    put_block(to, &view.peer_device_statistics(record, device), false)
}

/// Writes a line about a resource to the kernel log.
pub fn log(level: Level, name: &str, line: fmt::Arguments<'_>) {
    log::print(level, format_args!("drbd {}", name), line);
}

/// Writes a line about a minor to the kernel log, where its resource is not at hand.
pub fn log_minor(level: Level, minor: u32, line: fmt::Arguments<'_>) {
    log::print(level, format_args!("drbd drbd{}", minor), line);
}

/// Writes a line about a device to the kernel log.
pub fn log_device(level: Level, device: &Device, line: fmt::Arguments<'_>) {
    let (number, minor) = (device.number, device.minor);
    let name = device.resource.name_str();
    log::print(
        level,
        format_args!("drbd {}/{} drbd{}", name, number, minor),
        line,
    );
}

/// A volume's state changed.
pub fn changed(
    resource: &Arc<Resource>,
    core: &mut Core,
    device: &Arc<Device>,
    old: DeviceState,
    new: DeviceState,
) {
    log_device(Level::Info, device, format_args!("{}", Change(old, new)));
    if old.role != new.role {
        let primary = new.role == Role::Primary;
        device.primary.store(primary, Ordering::Release);
        device.with_disk(|disk| disk.set_read_only(!primary));
    }
    // As the C module does: not at a detach.
    let attached = |state: DeviceState| state.disk >= DiskState::Negotiating;
    if old.role != new.role || attached(new) && !attached(old) {
        device.with_disk(|disk| disk.announce_change());
    }
    tell_change(resource, core, device, old, new);
}

/// By what I/O is suspended: by the user, for want of data, for fencing.
fn suspension(state: DeviceState) -> (bool, bool, bool) {
    (state.susp, state.susp_nod, state.susp_fen)
}

/// Tells user space of a volume's change, and of what it changes in the whole.
fn tell_change(
    resource: &Arc<Resource>,
    core: &mut Core,
    device: &Arc<Device>,
    old: DeviceState,
    new: DeviceState,
) {
    let Some(at) = core.position(device) else {
        return;
    };
    // Not as it is: changes are told of one by one, and so is what all volumes are together.
    if let Some(told) = core.told_states.get_mut(at) {
        *told = new;
    }
    let mut sum = Summary::of(core.told_states.iter().copied());
    // Suspension is one for all volumes, of which the others follow.
    sum.suspended = match suspension(old) == suspension(new) {
        true => core.told.suspended,
        false => suspension(new),
    };
    if old.susp != new.susp {
        let followed = DeviceState {
            susp: new.susp,
            ..old
        };
        if followed == new && core.told.suspended.0 == new.susp {
            return;
        }
    }
    let told = core::mem::replace(&mut core.told, sum);
    let view = &View { resource, core };
    let change = NotificationType::Change;
    let of_resource = told.role != sum.role || told.suspended != sum.suspended;
    let of_peer = told.peer != sum.peer;
    let of_device = old.disk != new.disk;
    let of_peer_device = peer_device_info(old) != peer_device_info(new);
    let mut batch = resource.driver.notifier.batch();
    if of_resource {
        batch.resource((change, view), of_peer || of_device || of_peer_device);
    }
    if of_peer {
        // Volumes say more of a connection that is up.
        let conn = new.conn.min(ConnState::WfReportParams);
        batch.connection((change, view), conn, of_device || of_peer_device);
    }
    if of_device {
        batch.device((change, view), at, new, of_peer_device);
    }
    if of_peer_device {
        batch.peer_device((change, view), at, new, false);
    }
    batch.event(device.minor, |to| {
        view.put_status(to, at, About::Change(old, new), false)
    });
}

/// Tells user space how far a device's resync is, if there is one. May sleep.
pub fn progress(device: &Arc<Device>) {
    let busy = {
        let volume = device.volume.lock();
        volume.resync_progress().is_some() || volume.verify_progress().is_some()
    };
    if !busy {
        return;
    }
    let resource = &device.resource;
    resource.with_core(|core| {
        let view = &View { resource, core };
        if let Some(at) = core.position(device) {
            resource.driver.notifier.batch().event(device.minor, |to| {
                view.put_status(to, at, About::Progress, false)
            });
        }
    });
}

/// A handler is about to run. `device`: unless it is one of the whole resource. May sleep.
pub fn helper_called(resource: &Arc<Resource>, device: Option<&Arc<Device>>, name: &'static str) {
    helper(resource, device, name, None);
}

/// A handler came back with a status as `wait` gives it. May sleep.
pub fn helper_returned(
    resource: &Arc<Resource>,
    device: Option<&Arc<Device>>,
    name: &'static str,
    status: u32,
) {
    helper(resource, device, name, Some(status));
}

fn helper(
    resource: &Arc<Resource>,
    device: Option<&Arc<Device>>,
    name: &'static str,
    status: Option<u32>,
) {
    resource.with_core(|core| {
        let view = &View { resource, core };
        let same = |d: &Arc<Device>| device.is_some_and(|device| Arc::ptr_eq(d, device));
        let at = core.devices.iter().position(same);
        let record = at.and_then(|at| core.records.get(at));
        let mut batch = resource.driver.notifier.batch();
        if let (Some(at), Some(record)) = (at, record) {
            batch.event(record.minor, |to| {
                view.put_status(to, at, About::Helper(name, status), false)
            });
        }
        let kind = match status {
            None => NotificationType::Call,
            Some(_) => NotificationType::Response,
        };
        let info = HelperInfo {
            helper_name: FixedStr::new(name.as_bytes()).unwrap_or_default(),
            helper_status: status.unwrap_or(0),
        };
        let minor = record.map_or(NO_MINOR, |record| record.minor);
        batch.send(Command::Helper, minor, |to| {
            put_block(to, &view.context(true, record.map(|r| r.number)), false)?;
            put_kind(to, kind, false)?;
            put_block(to, &info, false)
        });
    });
}

/// What was last told of all volumes together, before there was any.
pub fn nothing_told() -> Summary {
    Summary::of(core::iter::empty())
}

/// A resource was configured. May sleep.
pub fn resource_created(resource: &Arc<Resource>) {
    resource.with_core(|core| {
        let view = &View { resource, core };
        let mut batch = resource.driver.notifier.batch();
        batch.resource((NotificationType::Create, view), false);
    });
}

/// A resource is gone. May sleep.
pub fn resource_destroyed(resource: &Arc<Resource>) {
    resource.with_core(|core| {
        let view = &View { resource, core };
        let mut batch = resource.driver.notifier.batch();
        batch.resource((NotificationType::Destroy, view), false);
    });
}

/// A volume was configured. May sleep.
pub fn device_created(device: &Arc<Device>) {
    device_told(device, NotificationType::Create);
}

/// A volume is about to go. May sleep.
pub fn device_destroyed(device: &Arc<Device>) {
    device_told(device, NotificationType::Destroy);
}

fn device_told(device: &Arc<Device>, kind: NotificationType) {
    let resource = &device.resource;
    resource.with_core(|core| {
        let view = &View { resource, core };
        let Some(at) = core.position(device) else {
            return;
        };
        let state = core
            .records
            .get(at)
            .map_or(DeviceState::INITIAL, |r| r.state);
        let peer = view.is_connected_to_peer();
        let mut batch = resource.driver.notifier.batch();
        if peer && kind == NotificationType::Destroy {
            batch.peer_device((kind, view), at, state, true);
        }
        batch.device(
            (kind, view),
            at,
            state,
            peer && kind == NotificationType::Create,
        );
        if peer && kind == NotificationType::Create {
            batch.peer_device((kind, view), at, state, false);
        }
    });
}

/// What differs between two states, as DRBD's users know it from the log.
struct Change(DeviceState, DeviceState);

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change(old, new) = self;
        let mut part = |name: &str, from: &str, to: &str| {
            if from == to {
                Ok(())
            } else {
                write!(f, "{}( {} -> {} ) ", name, from, to)
            }
        };
        part("role", old.role.as_str(), new.role.as_str())?;
        part("peer", old.peer.as_str(), new.peer.as_str())?;
        part("conn", old.conn.as_str(), new.conn.as_str())?;
        part("disk", old.disk.as_str(), new.disk.as_str())?;
        part("pdsk", old.peer_disk.as_str(), new.peer_disk.as_str())?;
        let flag = |on| if on { "1" } else { "0" };
        part("susp", flag(old.is_suspended()), flag(new.is_suspended()))?;
        part("aftr_isp", flag(old.aftr_isp), flag(new.aftr_isp))?;
        part("peer_isp", flag(old.peer_isp), flag(new.peer_isp))?;
        part("user_isp", flag(old.user_isp), flag(new.user_isp))
    }
}

/// There is a connection, which does not look for the peer yet.
pub fn connection_made(resource: &Arc<Resource>, core: &Core) {
    let view = &View { resource, core };
    let volumes = core.records.len();
    let create = NotificationType::Create;
    let mut batch = resource.driver.notifier.batch();
    batch.connection((create, view), ConnState::StandAlone, volumes > 0);
    for (at, record) in core.records.iter().enumerate() {
        batch.peer_device((create, view), at, record.state, at + 1 < volumes);
    }
}

/// The connection's own state changed.
pub fn connection(resource: &Arc<Resource>, core: &Core, old: ConnState, new: ConnState) {
    resource.log(format_args!("conn( {} -> {} )", old.as_str(), new.as_str()));
    let view = &View { resource, core };
    let mut batch = resource.driver.notifier.batch();
    batch.connection((NotificationType::Change, view), new, false);
    if new == ConnState::StandAlone {
        let destroy = NotificationType::Destroy;
        for (at, record) in core.records.iter().enumerate() {
            batch.peer_device((destroy, view), at, record.state, true);
        }
        batch.connection((destroy, view), new, false);
        // Both addresses are free for another connection.
        resource.set_addresses(None, None);
        *resource.pin.lock() = None;
    }
}

/// Something that an administrator should know.
pub fn notice(resource: &Arc<Resource>, core: &Core, volume: Option<usize>, notice: Notice) {
    let device = volume.and_then(|volume| core.devices.get(volume));
    let conn = volume
        .and_then(|volume| core.records.get(volume))
        .map_or(ConnState::StandAlone, |record| record.state.conn);
    let mut write = |level, line: fmt::Arguments<'_>| match device {
        Some(device) => log_device(level, device, line),
        None => log(level, resource.name_str(), line),
    };
    if let (Notice::ResyncDone { failed }, Some(device)) = (notice, device) {
        let progress = device.volume.lock().last_resync();
        return words::resync_done(failed, progress, Device::now(), &mut write);
    }
    if let (Notice::VerifyDone, Some(device)) = (notice, device) {
        let (progress, different) = {
            let volume = device.volume.lock();
            (volume.last_verify(), volume.out_of_sync())
        };
        return words::verify_done(progress, different, Device::now(), &mut write);
    }
    words::of_notice(notice, conn, &mut write);
}
