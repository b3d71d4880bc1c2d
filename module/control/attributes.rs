// SPDX-License-Identifier: GPL-2.0

//! The attributes of a request: as strict as the kernel's own policies.
#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::engine::control::{
    AttrBlock,
    AttrError,
    AttrIter,
    AttrType,
    CfgContext,
    Command,
    ConnectionInfo,
    ConnectionStatistics,
    DetachParms,
    DeviceInfo,
    DeviceStatistics,
    DisconnectParms,
    DiskConf,
    NetConf,
    NewCUuidParms,
    PeerDeviceInfo,
    PeerDeviceStatistics,
    ResizeParms,
    ResourceInfo,
    ResourceOpts,
    ResourceStatistics,
    SetRoleParms,
    StartOvParms,
    NLA_F_NESTED,
    NLA_HDRLEN,
    NLA_TYPE_MASK,
    TOP_LEVEL_MAX, //
};
use crate::engine::options::{
    DiskOptions,
    NetOptions,
    OptionKind,
    OptionSpec,
    OptionTable,
    ResourceOptions, //
};

/// The payloads of a request's blocks, by number.
pub struct Attributes<'a> {
    blocks: [Option<&'a [u8]>; TOP_LEVEL_MAX as usize + 1],
}

impl<'a> Attributes<'a> {
    /// Takes a request apart.
    ///
    /// Errors: `EINVAL` for blocks that the command does not have or that are not marked as
    /// nested, for attributes that a block does not have, for values of a wrong length and for what
    /// is cut off; `ERANGE` for addresses that are too long.
    pub fn parse(bytes: &'a [u8], command: Command) -> Result<Self> {
        let mut blocks = [None; TOP_LEVEL_MAX as usize + 1];
        let mut rest = bytes;
        while !rest.is_empty() {
            let (kind, payload, tail) = split(rest).ok_or(EINVAL)?;
            let number = kind & NLA_TYPE_MASK;
            if kind & NLA_F_NESTED == 0 || !command.blocks().contains(&number) {
                return Err(EINVAL);
            }
            check(number, payload)?;
            *blocks.get_mut(usize::from(number)).ok_or(EINVAL)? = Some(payload);
            rest = tail;
        }
        Ok(Self { blocks })
    }

    /// The payload of a block, if the request has it.
    pub fn block<B: AttrBlock>(&self) -> Option<&'a [u8]> {
        *self.blocks.get(usize::from(B::NR))?
    }

    /// A block of parameters; their defaults where the request has none.
    pub fn parms<B: AttrBlock>(&self) -> core::result::Result<B, AttrError> {
        match self.block::<B>() {
            Some(payload) => B::parse_request(payload),
            None => Ok(B::default()),
        }
    }
}

/// Type with flags, payload, and what follows.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (len, tail) = bytes.split_first_chunk::<2>()?;
    let (kind, _) = tail.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_ne_bytes(*len));
    let payload = bytes.get(NLA_HDRLEN..len)?;
    let rest = bytes.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    Some((u16::from_ne_bytes(*kind), payload, rest))
}

/// Checks what a policy would: numbers and lengths, not values.
fn check(number: u16, payload: &[u8]) -> Result {
    match number {
        CfgContext::NR => check_as::<CfgContext>(payload),
        DiskConf::NR => check_as::<DiskConf>(payload),
        ResourceOpts::NR => check_as::<ResourceOpts>(payload),
        NetConf::NR => check_as::<NetConf>(payload),
        SetRoleParms::NR => check_as::<SetRoleParms>(payload),
        ResizeParms::NR => check_as::<ResizeParms>(payload),
        StartOvParms::NR => check_as::<StartOvParms>(payload),
        NewCUuidParms::NR => check_as::<NewCUuidParms>(payload),
        DisconnectParms::NR => check_as::<DisconnectParms>(payload),
        DetachParms::NR => check_as::<DetachParms>(payload),
        ResourceInfo::NR => check_as::<ResourceInfo>(payload),
        DeviceInfo::NR => check_as::<DeviceInfo>(payload),
        ConnectionInfo::NR => check_as::<ConnectionInfo>(payload),
        PeerDeviceInfo::NR => check_as::<PeerDeviceInfo>(payload),
        ResourceStatistics::NR => check_as::<ResourceStatistics>(payload),
        DeviceStatistics::NR => check_as::<DeviceStatistics>(payload),
        ConnectionStatistics::NR => check_as::<ConnectionStatistics>(payload),
        PeerDeviceStatistics::NR => check_as::<PeerDeviceStatistics>(payload),
        _ => Err(EINVAL),
    }
}

fn check_as<B: AttrBlock>(payload: &[u8]) -> Result {
    check_texts::<B>(payload)?;
    // A part of it is enough: what is built up here is thrown away.
    match B::default().update(payload) {
        // Values are judged by the command, which can say what is wrong.
        Ok(()) | Err(AttrError::BadValue(_) | AttrError::Missing(_)) => Ok(()),
        // The kernel's policies say so of bytes that are too long, and EINVAL of all else.
        Err(AttrError::BadLength(name)) if is_bytes::<B>(name) => Err(ERANGE),
        Err(AttrError::BadLength(_) | AttrError::Truncated | AttrError::Unknown(_)) => Err(EINVAL),
    }
}

fn is_bytes<B: AttrBlock>(name: &str) -> bool {
    let mut specs = B::ATTRS.iter();
    specs.any(|spec| spec.name == name && matches!(spec.kind, AttrType::Bytes(_)))
}

/// Texts end with a zero.
fn check_texts<B: AttrBlock>(payload: &[u8]) -> Result {
    for attribute in AttrIter::new(payload) {
        let (number, value) = attribute.map_err(|_| EINVAL)?;
        let own = B::ATTRS.iter().find(|spec| spec.nr == number);
        let option = options_of(B::NR).iter().find(|spec| spec.nr == number);
        let text = own.is_some_and(|spec| matches!(spec.kind, AttrType::Text(_)))
            || option.is_some_and(|spec| matches!(spec.kind, OptionKind::Text { .. }));
        if text && !value.contains(&0) {
            return Err(EINVAL);
        }
    }
    Ok(())
}

/// The options in a block.
fn options_of(block: u16) -> &'static [OptionSpec] {
    match block {
        DiskConf::NR => DiskOptions::TABLE,
        NetConf::NR => NetOptions::TABLE,
        ResourceOpts::NR => ResourceOptions::TABLE,
        _ => &[],
    }
}
