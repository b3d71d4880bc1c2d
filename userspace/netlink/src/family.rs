// SPDX-License-Identifier: GPL-2.0

//! Looking the family up: its number, and that of its multicast group.

use crate::{
    connection::REPLY_TIMEOUT,
    socket::Socket,
    Error, //
};
use netlink_packet_core::NetlinkPayload;
use netlink_packet_generic::{
    ctrl::{
        nlas::{
            GenlCtrlAttrs,
            McastGrpAttrs, //
        },
        GenlCtrl,
        GenlCtrlCmd, //
    },
    GenlMessage, //
};
use std::{
    io,
    time::Instant, //
};
use tandem_engine::control::{
    EVENTS_GROUP,
    FAMILY_NAME,
    FAMILY_VERSION,
    GENL_HEADER_LEN, //
};

/// Numbers that the kernel gave the family when the module was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Message type of the family.
    pub id: u16,
    /// Number of the multicast group for events.
    pub events_group: u32,
}

impl Family {
    pub(crate) fn look_up(socket: &mut Socket) -> Result<Self, Error> {
        let question = GenlMessage::from_payload(GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(FAMILY_NAME.into())],
        });
        socket.send(question, 0)?;
        let deadline = Instant::now() + REPLY_TIMEOUT;
        match socket
            .receive::<GenlMessage<GenlCtrl>>(Some(deadline))?
            .payload
        {
            NetlinkPayload::InnerMessage(answer) => Self::read(&answer.payload.nlas),
            NetlinkPayload::Error(error) => {
                let error: io::Error = error.to_io();
                match error.kind() {
                    io::ErrorKind::NotFound => Err(Error::NoFamily),
                    _ => Err(Error::Rejected(error)),
                }
            }
            other => Err(Error::Malformed(format!("family lookup: {other:?}"))),
        }
    }

    fn read(attrs: &[GenlCtrlAttrs]) -> Result<Self, Error> {
        let (mut id, mut version, mut header_size, mut events_group) = (None, 0, 0, None);
        for attr in attrs {
            match attr {
                GenlCtrlAttrs::FamilyId(number) => id = Some(*number),
                GenlCtrlAttrs::Version(number) => version = *number,
                GenlCtrlAttrs::HdrSize(size) => header_size = *size,
                GenlCtrlAttrs::McastGroups(groups) => events_group = find_group(groups),
                _ => {}
            }
        }
        let fits = version == u32::from(FAMILY_VERSION)
            && usize::try_from(header_size) == Ok(GENL_HEADER_LEN);
        if !fits {
            return Err(Error::WrongFamily {
                version,
                header_size,
            });
        }
        match (id, events_group) {
            (Some(id), Some(events_group)) => Ok(Self { id, events_group }),
            _ => Err(Error::Malformed("family without number or events".into())),
        }
    }
}

fn find_group(groups: &[Vec<McastGrpAttrs>]) -> Option<u32> {
    let group = groups.iter().find(|group| {
        group
            .iter()
            .any(|attr| matches!(attr, McastGrpAttrs::Name(name) if name == EVENTS_GROUP))
    })?;
    group.iter().find_map(|attr| match attr {
        McastGrpAttrs::Id(id) => Some(*id),
        McastGrpAttrs::Name(_) => None,
    })
}

#[cfg(test)]
#[path = "family_tests.rs"]
mod tests;
