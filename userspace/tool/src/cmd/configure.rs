// SPDX-License-Identifier: GPL-2.0

//! Commands that change something: one request each.

use crate::{
    cli::setup::{
        Ends,
        Resize,
        Setup, //
    },
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    intent::{
        resource_name,
        show_endpoint,
        NewDisk, //
    },
    kernel,
    lock::MinorLock,
    registry, //
};
use tandem_engine::{
    control::{
        AttrBlock,
        AttrValue,
        CfgContext,
        Command,
        DetachParms,
        DisconnectParms,
        DiskConf,
        NetAddress,
        NetConf,
        NewCUuidParms,
        ResizeParms,
        ResourceOpts,
        SetRoleParms,
        StartOvParms,
        NO_MINOR, //
    },
    options::{
        FixedBytes, //
    }, //
};
use tandem_netlink::{
    AttrBuffer,
    Request, //
};

/// A request, and what messages call its object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) object: String,
    pub(crate) request: Request,
}

/// Makes the request and sends it.
pub(crate) fn run(command: &Setup) -> Outcome {
    let change = change(command)?;
    let minor = change.request.minor();
    let _lock = match minor {
        NO_MINOR => None,
        minor => Some(MinorLock::take(minor)?),
    };
    kernel::request(&change.object, &change.request)?;
    match command {
        Setup::DelResource { resource } => registry::forget_resource(resource),
        Setup::DelMinor(minor) => registry::forget_minor(minor.minor),
        _ => {}
    }
    Ok(Exit::Success)
}

/// The request of a command that changes something.
pub(crate) fn change(command: &Setup) -> Result<Change, Failure> {
    match command {
        Setup::Secondary(minor) => Ok(plain(Command::Secondary, minor.minor)),
        Setup::Invalidate(minor) => Ok(plain(Command::Invalidate, minor.minor)),
        Setup::InvalidateRemote(minor) => Ok(plain(Command::InvalPeer, minor.minor)),
        Setup::PauseSync(minor) => Ok(plain(Command::PauseSync, minor.minor)),
        Setup::ResumeSync(minor) => Ok(plain(Command::ResumeSync, minor.minor)),
        Setup::SuspendIo(minor) => Ok(plain(Command::SuspendIo, minor.minor)),
        Setup::ResumeIo(minor) => Ok(plain(Command::ResumeIo, minor.minor)),
        Setup::Outdate(minor) => Ok(plain(Command::Outdate, minor.minor)),
        Setup::DelMinor(minor) => Ok(plain(Command::DelMinor, minor.minor)),
        Setup::Primary { minor, force } => Ok(with(
            Command::Primary,
            minor.minor,
            &SetRoleParms {
                assume_uptodate: *force,
            },
        )),
        Setup::Detach { minor, force } => Ok(with(
            Command::Detach,
            minor.minor,
            &DetachParms {
                force_detach: force.given(),
            },
        )),
        Setup::NewCurrentUuid {
            minor,
            clear_bitmap,
        } => Ok(with(
            Command::NewCUuid,
            minor.minor,
            &NewCUuidParms {
                clear_bm: *clear_bitmap,
            },
        )),
        Setup::Verify { minor, start, stop } => Ok(with(
            Command::StartOv,
            minor.minor,
            &StartOvParms {
                ov_start_sector: *start,
                ov_stop_sector: *stop,
            },
        )),
        Setup::Resize(resize) => Ok(with(
            Command::Resize,
            resize.minor.minor,
            &resize_parms(resize),
        )),
        other => change_with_options(other),
    }
}

/// The requests that carry options or are about a resource or connection.
fn change_with_options(command: &Setup) -> Result<Change, Failure> {
    match command {
        Setup::NewResource { resource, options } => Ok(Change {
            object: resource.clone(),
            request: Request::new(Command::NewResource)
                .context(&resource_context(resource)?)
                .with_attrs(ResourceOpts::NR, &options.attrs()),
        }),
        Setup::ResourceOptions {
            resource,
            set_defaults,
            options,
        } => Ok(Change {
            object: resource.clone(),
            request: Request::new(Command::ResourceOpts)
                .set_defaults(*set_defaults)
                .context(&resource_context(resource)?)
                .with_attrs(ResourceOpts::NR, &options.attrs()),
        }),
        Setup::NewMinor {
            resource,
            minor,
            volume,
        } => Ok(Change {
            object: minor.to_string(),
            request: Request::for_minor(Command::NewMinor, *minor).context(&CfgContext {
                ctx_volume: Some(*volume),
                ..resource_context(resource)?
            }),
        }),
        Setup::DelResource { resource } => Ok(Change {
            object: resource.clone(),
            request: Request::new(Command::DelResource).context(&resource_context(resource)?),
        }),
        Setup::Attach {
            minor,
            lower_dev,
            meta_data_dev,
            meta_data_index,
            options,
        } => {
            let disk = NewDisk::new(lower_dev, meta_data_dev, meta_data_index)?;
            let mut attrs = options.attrs();
            append_disk(&disk, &mut attrs);
            Ok(Change {
                object: minor.minor.to_string(),
                request: Request::for_minor(Command::Attach, minor.minor)
                    .with_attrs(DiskConf::NR, &attrs),
            })
        }
        Setup::DiskOptions {
            minor,
            set_defaults,
            options,
        } => Ok(Change {
            object: minor.minor.to_string(),
            request: Request::for_minor(Command::ChgDiskOpts, minor.minor)
                .set_defaults(*set_defaults)
                .with_attrs(DiskConf::NR, &options.attrs()),
        }),
        other => change_of_connection(other),
    }
}

/// The requests about a connection.
fn change_of_connection(command: &Setup) -> Result<Change, Failure> {
    match command {
        Setup::Connect {
            resource,
            ends,
            options,
        } => Ok(Change {
            object: resource.clone(),
            request: Request::new(Command::Connect)
                .context(&CfgContext {
                    ctx_resource_name: resource_context(resource)?.ctx_resource_name,
                    ..ends_context(ends.local, ends.remote)
                })
                .with_attrs(NetConf::NR, &options.attrs()),
        }),
        Setup::NetOptions {
            ends,
            set_defaults,
            options,
        } => Ok(Change {
            object: ends_text(ends),
            request: Request::new(Command::ChgNetOpts)
                .set_defaults(*set_defaults)
                .context(&ends_context(ends.local, ends.remote))
                .with_attrs(NetConf::NR, &options.attrs()),
        }),
        Setup::Disconnect { ends, force } => Ok(Change {
            object: ends_text(ends),
            request: Request::new(Command::Disconnect)
                .context(&ends_context(ends.local, ends.remote))
                .with(&DisconnectParms {
                    force_disconnect: force.given(),
                }),
        }),
        other => Err(Failure::Other(anyhow::anyhow!(
            "{other:?} is not a change; please report this"
        ))),
    }
}

pub(super) fn plain(command: Command, minor: u32) -> Change {
    Change {
        object: minor.to_string(),
        request: Request::for_minor(command, minor),
    }
}

pub(super) fn with<B: AttrBlock>(command: Command, minor: u32, block: &B) -> Change {
    Change {
        object: minor.to_string(),
        request: Request::for_minor(command, minor).with(block),
    }
}

pub(super) fn resource_context(resource: &str) -> Result<CfgContext, Failure> {
    Ok(CfgContext {
        ctx_resource_name: Some(resource_name(resource)?),
        ..CfgContext::default()
    })
}

pub(super) fn ends_context(local: NetAddress, remote: NetAddress) -> CfgContext {
    CfgContext {
        ctx_my_addr: sockaddr(local),
        ctx_peer_addr: sockaddr(remote),
        ..CfgContext::default()
    }
}

fn sockaddr(address: NetAddress) -> Option<FixedBytes<128>> {
    let (bytes, len) = address.to_sockaddr();
    FixedBytes::new(bytes.get(..len)?)
}

fn ends_text(ends: &Ends) -> String {
    format!(
        "{} {}",
        show_endpoint(ends.local),
        show_endpoint(ends.remote)
    )
}

/// Appends the three attributes of an attach that are no options.
fn append_disk(disk: &NewDisk, attrs: &mut AttrBuffer) {
    let mut attrs = attrs.plain();
    let appended = disk
        .lower
        .put(1, &mut attrs)
        .and_then(|()| disk.meta.put(2, &mut attrs))
        .and_then(|()| disk.place.number().put(3, &mut attrs));
    match appended {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

fn resize_parms(resize: &Resize) -> ResizeParms {
    ResizeParms {
        resize_size: resize.size,
        resize_force: resize.assume_peer_has_space,
        no_resync: resize.assume_clean,
        al_stripes: resize.al_stripes,
        al_stripe_size: resize.al_stripe_size,
    }
}

#[cfg(test)]
#[path = "configure_tests.rs"]
mod tests;
