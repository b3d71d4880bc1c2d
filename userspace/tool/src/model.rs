// SPDX-License-Identifier: GPL-2.0

//! What the kernel knows, read into one tree: resources with their devices, connections and peer
//! devices.

use crate::{
    failure::Failure,
    reasons::{
        self,
        Reason, //
    }, //
};
use tandem_engine::{
    control::{
        AttrBlock,
        CfgContext,
        Command,
        ConnectionInfo,
        ConnectionStatistics,
        DeviceInfo,
        DeviceStatistics,
        DiskConf,
        NetAddress,
        NetConf,
        PeerDeviceInfo,
        PeerDeviceStatistics,
        ResourceInfo,
        ResourceOpts,
        ResourceStatistics, //
    },
    options::FixedStr, //
};
use tandem_netlink::{
    Connection as Kernel,
    Error,
    Reply,
    Request, //
};

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) info: ResourceInfo,
    pub(crate) statistics: ResourceStatistics,
    /// Attributes of its options.
    pub(crate) settings: Vec<u8>,
    pub(crate) devices: Vec<Device>,
    pub(crate) connections: Vec<Connection>,
    /// Why it is as it is, where the kernel tells that.
    pub(crate) reasons: Vec<Reason>,
}

/// A volume of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) volume: u32,
    pub(crate) minor: u32,
    pub(crate) info: DeviceInfo,
    pub(crate) statistics: DeviceStatistics,
    /// Attributes of its disk's paths and options; empty without a disk.
    pub(crate) settings: Vec<u8>,
}

/// The connection of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) local: Option<NetAddress>,
    pub(crate) peer: Option<NetAddress>,
    pub(crate) info: ConnectionInfo,
    pub(crate) statistics: ConnectionStatistics,
    /// Attributes of its options; empty while it is not configured.
    pub(crate) settings: Vec<u8>,
    pub(crate) devices: Vec<PeerDevice>,
}

/// A volume at the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerDevice {
    pub(crate) volume: u32,
    pub(crate) info: PeerDeviceInfo,
    pub(crate) statistics: PeerDeviceStatistics,
}

/// Reads all resources, or the one with this name.
pub(crate) fn read(kernel: &mut Kernel, only: Option<&str>) -> Result<Vec<Resource>, Failure> {
    let mut resources = Vec::new();
    let told = reasons::read();
    for reply in dump(kernel, Command::GetResources, None)? {
        let name = resource_name(&context(&reply)?);
        if only.is_some_and(|only| only != name) {
            continue;
        }
        resources.push(Resource {
            info: block(&reply)?,
            statistics: block(&reply)?,
            settings: settings::<ResourceOpts>(&reply),
            devices: Vec::new(),
            connections: Vec::new(),
            reasons: reasons::of(&told, &name),
            name,
        });
    }
    for resource in &mut resources {
        resource.devices = read_devices(kernel, &resource.name)?;
        resource.connections = read_connections(kernel, &resource.name)?;
    }
    Ok(resources)
}

fn read_devices(kernel: &mut Kernel, name: &str) -> Result<Vec<Device>, Failure> {
    dump(kernel, Command::GetDevices, Some(name))?
        .iter()
        .map(|reply| {
            Ok(Device {
                volume: context(reply)?.ctx_volume.unwrap_or(0),
                minor: reply.minor(),
                info: block(reply)?,
                statistics: block(reply)?,
                settings: settings::<DiskConf>(reply),
            })
        })
        .collect()
}

fn read_connections(kernel: &mut Kernel, name: &str) -> Result<Vec<Connection>, Failure> {
    let mut connections = Vec::new();
    for reply in dump(kernel, Command::GetConnections, Some(name))? {
        let context = context(&reply)?;
        connections.push(Connection {
            local: address(context.ctx_my_addr.as_ref().map(|raw| raw.as_bytes())),
            peer: address(context.ctx_peer_addr.as_ref().map(|raw| raw.as_bytes())),
            info: block(&reply)?,
            statistics: block(&reply)?,
            settings: settings::<NetConf>(&reply),
            devices: Vec::new(),
        });
    }
    for reply in dump(kernel, Command::GetPeerDevices, Some(name))? {
        let context = context(&reply)?;
        let local = address(context.ctx_my_addr.as_ref().map(|raw| raw.as_bytes()));
        let peer = address(context.ctx_peer_addr.as_ref().map(|raw| raw.as_bytes()));
        let owner = connections
            .iter_mut()
            .find(|connection| connection.local == local && connection.peer == peer);
        if let Some(connection) = owner {
            connection.devices.push(PeerDevice {
                volume: context.ctx_volume.unwrap_or(0),
                info: block(&reply)?,
                statistics: block(&reply)?,
            });
        }
    }
    Ok(connections)
}

fn dump(
    kernel: &mut Kernel,
    command: Command,
    resource: Option<&str>,
) -> Result<Vec<Reply>, Failure> {
    let mut request = Request::new(command);
    if let Some(name) = resource {
        request = request.context(&CfgContext {
            ctx_resource_name: FixedStr::new(name.as_bytes()),
            ..CfgContext::default()
        });
    }
    match kernel.dump(&request) {
        Ok(replies) => Ok(replies),
        // The resource went away between two dumps.
        Err(Error::Rejected(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        Err(Error::Rejected(error)) if error.raw_os_error() == Some(NO_DEVICE) => Ok(Vec::new()),
        Err(error) => Err(Failure::netlink(resource.unwrap_or("kernel"), error)),
    }
}

/// ENODEV.
const NO_DEVICE: i32 = 19;

/// The attributes of a block, as they stand in the message.
fn settings<B: AttrBlock>(reply: &Reply) -> Vec<u8> {
    reply.attrs(B::NR).unwrap_or_default().to_vec()
}

/// Reads a block of a reply, or takes its defaults.
pub(crate) fn block<B: AttrBlock>(reply: &Reply) -> Result<B, Failure> {
    Ok(reply
        .block()
        .map_err(|error| Failure::netlink("kernel", error))?
        .unwrap_or_default())
}

/// What a message is about.
pub(crate) fn context(reply: &Reply) -> Result<CfgContext, Failure> {
    block(reply)
}

/// The name in a context, as text.
pub(crate) fn resource_name(context: &CfgContext) -> String {
    let name = context.ctx_resource_name.unwrap_or_default();
    String::from_utf8_lossy(name.as_bytes()).into_owned()
}

/// An address in a context.
pub(crate) fn address(raw: Option<&[u8]>) -> Option<NetAddress> {
    NetAddress::from_sockaddr(raw?)
}
