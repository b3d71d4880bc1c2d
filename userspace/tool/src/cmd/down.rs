// SPDX-License-Identifier: GPL-2.0

//! `down`: takes a resource down completely. With `--force` nobody is asked, and nothing is waited
//! for that may never come: neither the peer nor the disk nor frozen I/O.

use super::configure::{
    ends_context,
    plain,
    resource_context,
    with, //
};
use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    kernel,
    model::{
        self,
        Connection,
        Resource, //
    },
    registry, //
};
use std::{
    thread::sleep,
    time::{
        Duration,
        Instant, //
    }, //
};
use tandem_engine::{
    control::{
        Command,
        DetachParms,
        DisconnectParms,
        RetCode, //
    },
    state::StateError, //
};
use tandem_netlink::{
    Connection as Kernel,
    Request, //
};

/// How long programs that had frozen I/O may take to close the device, once it has failed.
const TO_CLOSE: Duration = Duration::from_secs(5);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// That the resource is not there is success, with or without a module.
pub(super) fn run(resource: &str, force: bool) -> Outcome {
    let request = Request::new(Command::Down).context(&resource_context(resource)?);
    let Some(mut kernel) = kernel::connect_if_loaded()? else {
        return Ok(Exit::Success);
    };
    if force {
        for known in model::read(&mut kernel, Some(resource))? {
            clear_the_way(&mut kernel, &known);
        }
    }
    let deadline = Instant::now() + TO_CLOSE;
    loop {
        let result = kernel.request(&request);
        let Err(failure) = result.map_err(|error| Failure::netlink(resource, error)) else {
            break;
        };
        match failure.code() {
            Some(RetCode::ERR_RES_NOT_KNOWN) => break,
            Some(code) if force && may_pass(code) && Instant::now() < deadline => sleep(PAUSE),
            _ => return Err(failure),
        }
    }
    registry::forget_resource(resource);
    Ok(Exit::Success)
}

/// Whether it may be otherwise in a moment: who had frozen I/O closes the device, or the disk that
/// was given up is gone.
fn may_pass(code: RetCode) -> bool {
    let in_use = RetCode(StateError::DeviceInUse.number());
    [in_use, RetCode::ERR_MINOR_CONFIGURED].contains(&code)
}

/// Gives up all that a resource could wait for. What is refused is in nobody's way.
fn clear_the_way(kernel: &mut Kernel, resource: &Resource) {
    let connections = resource.connections.iter().filter_map(disconnect);
    let minors = || resource.devices.iter().map(|device| device.minor);
    let detach = |minor| {
        let force_detach = Some(true);
        with(Command::Detach, minor, &DetachParms { force_detach }).request
    };
    // First the disk: what comes next may wait for one that hangs. Last I/O, as without peer and
    // disk it may freeze for want of data.
    let resume = |minor| plain(Command::ResumeIo, minor).request;
    let requests = minors()
        .map(detach)
        .chain(connections)
        .chain(minors().map(resume));
    for request in requests {
        let _ = kernel.request(&request);
    }
}

/// Ends a connection whatever the peer says.
fn disconnect(connection: &Connection) -> Option<Request> {
    let context = ends_context(connection.local?, connection.peer?);
    let force_disconnect = Some(true);
    let request = Request::new(Command::Disconnect).context(&context);
    Some(request.with(&DisconnectParms { force_disconnect }))
}
