// SPDX-License-Identifier: GPL-2.0

//! Dumps: what is configured, part by part.
//!
//! Nothing is kept between the parts but a position, so a dump may miss what is made, and skip
//! what is deleted, while it runs. The cursor's first word says which resource is the present one
//! (see [`name_of`]), the second how far it is in that.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::driver::{
    name_of,
    Driver, //
};
use crate::engine::control::{
    AttrBlock,
    CfgContext,
    Command,
    NotificationHeader,
    NotificationType,
    RetCode,
    NO_MINOR, //
};
use crate::engine::options::FixedStr;
use crate::notify::{
    put_connection_event,
    put_device_event,
    put_peer_device_event,
    put_resource_event, //
};
use crate::resource::{
    Core,
    Resource, //
};
use crate::status::{
    device_info,
    peer_device_info,
    About,
    View, //
};
use crate::sys::genl::{
    Builder,
    DumpOut,
    Request, //
};

use super::attributes::Attributes;
use super::reply::{
    header,
    put_block, //
};

/// Where a dump is. All zeros at its start.
struct Cursor<'a>(&'a mut [u64; 6]);

/// Values of [`Cursor::mode`].
mod mode {
    /// The dump has not begun.
    pub const START: u64 = 0;
    /// All resources.
    pub const ALL: u64 = 1;
    /// The present resource only.
    pub const ONE: u64 = 2;
    /// There is nothing more.
    pub const END: u64 = 3;
}

impl Cursor<'_> {
    fn mode(&self) -> u64 {
        self.0[0]
    }

    fn set_mode(&mut self, mode: u64) {
        self.0[0] = mode;
    }

    /// The present resource's name; `None` before the first.
    fn resource(&self) -> Option<usize> {
        // Both are addresses' size on all machines that the module is built for.
        (self.0[1] != 0).then_some(self.0[1] as usize)
    }

    fn set_resource(&mut self, resource: &Arc<Resource>) {
        self.0[1] = name_of(resource) as u64;
        self.0[2] = 0;
    }

    /// How far it is in the present resource.
    fn item(&self) -> u64 {
        self.0[2]
    }

    fn set_item(&mut self, item: u64) {
        self.0[2] = item;
    }
}

/// Puts the next part of a dump into `out`. May sleep.
///
/// Errors: `EINVAL` and `ENODEV` for requests about nothing, `EMSGSIZE` when one entry has no room.
pub fn part(
    driver: &Driver,
    request: &Request<'_>,
    cursor: &mut [u64; 6],
    out: &mut DumpOut<'_>,
) -> Result {
    let command = Command::from_number(request.command()).ok_or(EOPNOTSUPP)?;
    let mut cursor = Cursor(cursor);
    if cursor.mode() == mode::START && !start(driver, request, command, &mut cursor, out)? {
        return Ok(());
    }
    let secrets = request.caller_is_system_admin();
    let dump = Dump { command, secrets };
    while cursor.mode() != mode::END {
        let Some(resource) = present(driver, &mut cursor) else {
            return dump.end(&mut cursor, out);
        };
        if !resource.glance(|core| {
            let view = View {
                resource: &resource,
                core,
            };
            dump.resource(&view, &mut cursor, out)
        })? {
            return Ok(());
        }
        if cursor.mode() == mode::ONE {
            return dump.end(&mut cursor, out);
        }
        match driver.resource_after(cursor.resource()) {
            Some(next) => cursor.set_resource(&next),
            None => return dump.end(&mut cursor, out),
        }
    }
    Ok(())
}

/// Begins a dump: of all, or of the resource that the request names. False if that was all.
fn start(
    driver: &Driver,
    request: &Request<'_>,
    command: Command,
    cursor: &mut Cursor<'_>,
    out: &mut DumpOut<'_>,
) -> Result<bool> {
    let attributes = Attributes::parse(request.attributes(), command)?;
    cursor.set_mode(mode::ALL);
    let Some(payload) = attributes.block::<CfgContext>() else {
        return Ok(true);
    };
    if matches!(command, Command::GetResources | Command::GetInitialState) {
        return Ok(true);
    }
    let context = CfgContext::parse(payload).map_err(|_| EINVAL)?;
    let old = command == Command::GetStatus;
    let name: FixedStr<127> = match context.ctx_resource_name {
        Some(name) => name,
        None if old => return Err(EINVAL),
        None => return Ok(true),
    };
    match driver.resource(name.as_bytes()) {
        Some(resource) => {
            cursor.set_mode(mode::ONE);
            cursor.set_resource(&resource);
            Ok(true)
        }
        None if old => Err(ENODEV),
        None => {
            cursor.set_mode(mode::END);
            let unknown = header(NO_MINOR, RetCode::ERR_RES_NOT_KNOWN);
            out.entry(command.number(), unknown, |_| Ok(()))?;
            Ok(false)
        }
    }
}

/// The present resource, if it is still there.
fn present(driver: &Driver, cursor: &mut Cursor<'_>) -> Option<Arc<Resource>> {
    let Some(name) = cursor.resource() else {
        let first = driver.resource_after(None)?;
        cursor.set_resource(&first);
        return Some(first);
    };
    let registry = driver.registry.lock();
    let mut resources = registry.resources.iter();
    resources.find(|r| name_of(r) == name).cloned()
}

/// Positions of a resource's volumes, in order of their numbers.
fn position_from(core: &Core, number: u64) -> Option<usize> {
    let records = core.records.iter().enumerate();
    records
        .filter(|(_, record)| u64::from(record.number) >= number)
        .min_by_key(|(_, record)| record.number)
        .map(|(at, _)| at)
}

struct Dump {
    command: Command,
    secrets: bool,
}

impl Dump {
    /// Puts what is left of one resource; false if there was no room for all.
    fn resource(
        &self,
        view: &View<'_>,
        cursor: &mut Cursor<'_>,
        out: &mut DumpOut<'_>,
    ) -> Result<bool> {
        match self.command {
            Command::GetResources => self.entry(out, NO_MINOR, |to| self.put_resource(to, view)),
            Command::GetConnections if view.is_connected_to_peer() => {
                self.entry(out, NO_MINOR, |to| self.put_connection(to, view))
            }
            Command::GetConnections => Ok(true),
            Command::GetPeerDevices if !view.is_connected_to_peer() => Ok(true),
            Command::GetStatus if view.core.records.is_empty() => {
                self.entry(out, NO_MINOR, |to| self.put_bare(to, view))
            }
            Command::GetInitialState => self.initial_state(view, cursor, out),
            _ => self.volumes(view, cursor, out),
        }
    }

    fn entry(
        &self,
        out: &mut DumpOut<'_>,
        minor: u32,
        fill: impl FnOnce(&mut Builder) -> Result,
    ) -> Result<bool> {
        let front = header(minor, RetCode::NO_ERROR);
        out.entry(self.command.number(), front, fill)
    }

    fn volumes(
        &self,
        view: &View<'_>,
        cursor: &mut Cursor<'_>,
        out: &mut DumpOut<'_>,
    ) -> Result<bool> {
        while let Some(at) = position_from(view.core, cursor.item()) {
            let record = view.core.records.get(at).ok_or(ENODEV)?;
            let done = self.entry(out, record.minor, |to| match self.command {
                Command::GetDevices => self.put_device(to, view, at),
                Command::GetPeerDevices => self.put_peer_device(to, view, at),
                _ => view.put_status(to, at, About::Status, self.secrets),
            })?;
            if !done {
                return Ok(false);
            }
            cursor.set_item(u64::from(record.number) + 1);
        }
        Ok(true)
    }

    fn put_resource(&self, to: &mut Builder, view: &View<'_>) -> Result {
        put_block(to, &view.context(false, None), self.secrets)?;
        put_block(to, &view.resource_options(), self.secrets)?;
        put_block(to, &view.summary().resource_info(), self.secrets)?;
        put_block(to, &view.resource_statistics(), self.secrets)
    }

    /// A resource without volumes, in the old form.
    fn put_bare(&self, to: &mut Builder, view: &View<'_>) -> Result {
        put_block(to, &view.context(true, None), self.secrets)?;
        match view.net_conf() {
            Some(conf) => put_block(to, &conf, false),
            None => Ok(()),
        }
    }

    fn put_device(&self, to: &mut Builder, view: &View<'_>, at: usize) -> Result {
        let record = view.core.records.get(at).ok_or(ENODEV)?;
        let device = view.core.devices.get(at).ok_or(ENODEV)?;
        put_block(to, &view.context(false, Some(record.number)), self.secrets)?;
        if let Some(conf) = view.disk_conf(record, device) {
            put_block(to, &conf, self.secrets)?;
        }
        put_block(to, &device_info(record.state), self.secrets)?;
        put_block(to, &view.device_statistics(record, device), self.secrets)
    }

    fn put_connection(&self, to: &mut Builder, view: &View<'_>) -> Result {
        put_block(to, &view.context(true, None), self.secrets)?;
        if let Some(conf) = view.net_conf() {
            put_block(to, &conf, self.secrets)?;
        }
        put_block(to, &view.connection_info(), self.secrets)?;
        put_block(to, &view.connection_statistics(), self.secrets)
    }

    fn put_peer_device(&self, to: &mut Builder, view: &View<'_>, at: usize) -> Result {
        let record = view.core.records.get(at).ok_or(ENODEV)?;
        let device = view.core.devices.get(at).ok_or(ENODEV)?;
        put_block(to, &view.context(true, Some(record.number)), self.secrets)?;
        put_block(to, &peer_device_info(record.state), self.secrets)?;
        let statistics = view.peer_device_statistics(record, device);
        put_block(to, &statistics, self.secrets)
    }

    /// One event for the resource, one for its connection, and two for each volume.
    fn initial_state(
        &self,
        view: &View<'_>,
        cursor: &mut Cursor<'_>,
        out: &mut DumpOut<'_>,
    ) -> Result<bool> {
        let exists = NotificationType::Exists;
        let volumes = view.core.records.len() as u64;
        let items = 2 + 2 * volumes;
        while cursor.item() < items {
            let item = cursor.item();
            let more = item + 1 < items;
            let at = usize::try_from(item.saturating_sub(2) % volumes.max(1))?;
            let record = view.core.records.get(at);
            let minor = record.map_or(NO_MINOR, |record| record.minor);
            let state = record.map(|record| record.state).unwrap_or_default();
            let none = NO_MINOR;
            let done = match item {
                0 => self.event(out, Command::ResourceState, none, |to| {
                    put_resource_event(to, view, exists, more)
                }),
                1 => self.event(out, Command::ConnectionState, none, |to| {
                    let conn = view.core.decisions.conn();
                    put_connection_event(to, view, conn, exists, more)
                }),
                item if item < 2 + volumes => self.event(out, Command::DeviceState, minor, |to| {
                    put_device_event(to, view, at, state, exists, more)
                }),
                _ => self.event(out, Command::PeerDeviceState, none, |to| {
                    put_peer_device_event(to, view, at, state, exists, more)
                }),
            }?;
            if !done {
                return Ok(false);
            }
            cursor.set_item(item + 1);
        }
        Ok(true)
    }

    fn event(
        &self,
        out: &mut DumpOut<'_>,
        command: Command,
        minor: u32,
        fill: impl FnOnce(&mut Builder) -> Result,
    ) -> Result<bool> {
        let front = header(minor, RetCode::NO_ERROR);
        out.entry(command.number(), front, fill)
    }

    /// The dump is complete.
    fn end(&self, cursor: &mut Cursor<'_>, out: &mut DumpOut<'_>) -> Result {
        if self.command == Command::GetInitialState {
            let exists = NotificationHeader {
                nh_type: NotificationType::Exists.number(),
            };
            let done = self.event(out, Command::InitialStateDone, NO_MINOR, |to| {
                put_block(to, &exists, false)
            })?;
            if !done {
                return Ok(());
            }
        }
        cursor.set_mode(mode::END);
        Ok(())
    }
}
