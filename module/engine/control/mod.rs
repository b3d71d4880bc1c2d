// SPDX-License-Identifier: GPL-2.0

//! The generic netlink family `drbd`, version 1: commands, attribute blocks, reply codes and
//! notifications, as tables and typed structs.
//!
//! A message is a generic netlink header, then [`GenlHeader`] (minor, and flags or reply code),
//! then attribute blocks. The same types serve the kernel driver (which parses requests and emits
//! replies) and the tool (the other way round). Nothing here does I/O.

mod address;
mod attr;
mod block;
mod command;
mod header;
mod info;
mod notify;
mod request;
mod ret_code;
mod ret_text;
mod status;

pub use address::NetAddress;
pub use attr::{
    AttrError,
    AttrIter,
    AttrSink,
    AttrType,
    AttrValue,
    NLA_F_NESTED,
    NLA_HDRLEN,
    NLA_TYPE_MASK, //
};
pub use block::{
    AttrBlock,
    AttrSpec, //
};
pub use command::Command;
pub use header::{
    GenlHeader,
    FLAG_SET_DEFAULTS,
    GENL_HEADER_LEN,
    NO_MINOR, //
};
pub use info::{
    ConnectionInfo,
    ConnectionStatistics,
    DeviceInfo,
    DeviceStatistics,
    HelperInfo,
    NotificationHeader,
    PeerDeviceInfo,
    PeerDeviceStatistics,
    ResourceInfo,
    ResourceStatistics, //
};
pub use notify::{
    Notification,
    NotificationType, //
};
pub use request::{
    CfgContext,
    DetachParms,
    DisconnectParms,
    DiskConf,
    NetConf,
    NewCUuidParms,
    ResizeParms,
    ResourceOpts,
    SetRoleParms,
    StartOvParms, //
};
pub use ret_code::RetCode;
pub use status::{
    CfgReply,
    SibReason,
    StateInfo,
    TimeoutParms,
    TimeoutType, //
};

/// Name of the family.
pub const FAMILY_NAME: &str = "drbd";
/// Version of the family.
pub const FAMILY_VERSION: u8 = 1;
/// Name of the multicast group that carries all events.
pub const EVENTS_GROUP: &str = "events";
/// Largest number of a top-level attribute.
pub const TOP_LEVEL_MAX: u16 = 24;
/// Largest minor number that can be created.
pub const MINOR_MAX: u32 = (1 << 20) - 1;
/// Largest volume number that can be created.
pub const VOLUME_MAX: u32 = 65534;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
