// SPDX-License-Identifier: GPL-2.0

//! A netlink message behind its generic header, as the driver takes it off a user and the tool off
//! the kernel.
//!
//! Input: the message.

use std::fmt::Debug;

use tandem_engine::control::{
    AttrBlock, AttrError, AttrIter, AttrSink, CfgContext, CfgReply, ConnectionInfo,
    ConnectionStatistics, DetachParms, DeviceInfo, DeviceStatistics, DisconnectParms, DiskConf,
    GenlHeader, HelperInfo, NetAddress, NetConf, NewCUuidParms, Notification, NotificationHeader,
    PeerDeviceInfo, PeerDeviceStatistics, ResizeParms, ResourceInfo, ResourceOpts,
    ResourceStatistics, SetRoleParms, StartOvParms, StateInfo, TimeoutParms, NLA_F_NESTED,
    NLA_HDRLEN,
};

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "netlink",
    run,
    seeds,
};

/// A run of attributes.
#[derive(Default)]
struct Run(Vec<u8>);

impl AttrSink for Run {
    type Error = ();

    fn put(&mut self, nr: u16, bytes: &[u8]) -> Result<(), ()> {
        let len = u16::try_from(bytes.len() + NLA_HDRLEN).map_err(|_| ())?;
        self.0.extend(len.to_ne_bytes());
        self.0.extend(nr.to_ne_bytes());
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        Ok(())
    }
}

fn run(bytes: &[u8]) {
    let Some((header, attributes)) = GenlHeader::split(bytes) else {
        return;
    };
    assert_eq!(header.to_bytes(), bytes[..bytes.len() - attributes.len()]);
    let _ = header.ret_code().text();
    for attribute in AttrIter::new(attributes) {
        let Ok((number, payload)) = attribute else {
            return;
        };
        macro_rules! parse {
            ($($block:ident),*) => {
                match number {
                    $($block::NR => block::<$block>(payload),)*
                    _ => {}
                }
            };
        }
        tandem_engine::for_blocks!(parse);
    }
}

/// What parses is written and read back the same.
fn block<B: AttrBlock + Clone + Debug + PartialEq>(payload: &[u8]) {
    let parsed = B::parse(payload);
    let asked = B::parse_request(payload);
    if let (Ok(asked), Ok(parsed)) = (&asked, &parsed) {
        assert_eq!(asked, parsed);
    }
    if let Err(AttrError::Missing(name)) = asked {
        assert!(parsed.is_ok() && !name.is_empty());
    }
    if let Ok(block) = parsed {
        let mut run = Run::default();
        block.emit(&mut run, true).expect("a short run");
        assert_eq!(B::parse(&run.0), Ok(block));
    }
    // Where addresses are, and numbers of notifications.
    for (_, value) in AttrIter::new(payload).flatten() {
        if let Some(address) = NetAddress::from_sockaddr(value) {
            let (bytes, len) = address.to_sockaddr();
            assert_eq!(NetAddress::from_sockaddr(&bytes[..len]), Some(address));
        }
        if let Ok(number) = value.try_into().map(u32::from_ne_bytes) {
            if let Some(note) = Notification::from_number(number) {
                assert_eq!(note.number(), number);
            }
        }
    }
}

/// A message with one attribute for each block, as it is by default, and one with an address.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let mut add = |nr: u16, payload: &[u8]| {
        let mut run = Run::default();
        run.put(nr | NLA_F_NESTED, payload).expect("a short run");
        seeds.push([&GenlHeader::request(3, 0).to_bytes(), &run.0[..]].concat());
    };
    macro_rules! emit {
        ($($block:ident),*) => {$(
            let mut run = Run::default();
            $block::default().emit(&mut run, true).expect("a short run");
            add($block::NR, &run.0);
        )*};
    }
    tandem_engine::for_blocks!(emit);
    let mut run = Run::default();
    let address = NetAddress::V4 {
        addr: [10, 0, 0, 1],
        port: 7789,
    };
    address.put(3, &mut run).expect("a short run");
    run.put(2, b"r0\0").expect("a short run");
    add(CfgContext::NR, &run.0);
    seeds
}
