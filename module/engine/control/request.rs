// SPDX-License-Identifier: GPL-2.0

//! Blocks that requests carry.

use super::{
    block::attr_block,
    AttrBlock,
    AttrError,
    AttrSink,
    AttrSpec,
    AttrType,
    AttrValue, //
};
use crate::engine::options::{
    DiskOptions,
    FixedBytes,
    FixedStr,
    NetOptions,
    OptionTable,
    ResourceOptions, //
};

attr_block! {
    /// What a request is addressed to, and what a reply is about.
    pub struct CfgContext: 2 "drbd_cfg_context" {
        /// Volume number inside its resource.
        ctx_volume: Option<u32> = 1,
        /// Name of the resource.
        ctx_resource_name: Option<FixedStr<127>> = 2,
        /// Local end of the connection; see [`super::NetAddress`].
        ctx_my_addr: Option<FixedBytes<128>> = 3,
        /// Remote end of the connection; see [`super::NetAddress`].
        ctx_peer_addr: Option<FixedBytes<128>> = 4,
    }
}

attr_block! {
    /// Of `PRIMARY` and `SECONDARY`.
    pub struct SetRoleParms: 6 "set_role_parms" {
        /// Take the local data as up to date (`--force`).
        assume_uptodate: Option<bool> = 1,
    }
}

attr_block! {
    /// Of `RESIZE`.
    pub struct ResizeParms: 7 "resize_parms" {
        /// Size that the user wants, in sectors; 0 or absent: as large as possible.
        resize_size: Option<u64> = 1,
        /// The peer is not there, but has the space (`--assume-peer-has-space`).
        resize_force: Option<bool> = 2,
        /// New storage is known to be equal on both nodes (`--assume-clean`).
        no_resync: Option<bool> = 3,
        /// Stripes of the activity log; absent: as they are.
        al_stripes: Option<u32> = 4,
        /// Size of one stripe of the activity log, in KiB; absent: as it is.
        al_stripe_size: Option<u32> = 5,
    }
}

attr_block! {
    /// Of `START_OV`.
    pub struct StartOvParms: 9 "start_ov_parms" {
        /// First sector; absent: go on where the last verify ended.
        ov_start_sector: Option<u64> = 1,
        /// Sector to stop at; absent: the end of the device.
        ov_stop_sector: Option<u64> = 2,
    }
}

attr_block! {
    /// Of `NEW_C_UUID`.
    pub struct NewCUuidParms: 10 "new_c_uuid_parms" {
        /// Clear the bitmap: both disks are equal (`--clear-bitmap`).
        clear_bm: Option<bool> = 1,
    }
}

attr_block! {
    /// Of `DISCONNECT`.
    pub struct DisconnectParms: 12 "disconnect_parms" {
        /// Do not ask the peer (`--force`).
        force_disconnect: Option<bool> = 1,
    }
}

attr_block! {
    /// Of `DETACH`.
    pub struct DetachParms: 13 "detach_parms" {
        /// Do not wait for I/O under way (`--force`).
        force_detach: Option<bool> = 1,
    }
}

/// Of `ATTACH` and `CHG_DISK_OPTS`, and of replies about an attached disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskConf {
    /// Path of the lower device; required by `ATTACH`.
    pub backing_dev: Option<FixedStr<127>>,
    /// Path of the device with the metadata; required by `ATTACH`.
    pub meta_dev: Option<FixedStr<127>>,
    /// Place of the metadata on it: -1 internal (old), -2 whole device, -3 internal, or an index
    /// from 0; required by `ATTACH`.
    pub meta_dev_idx: Option<i32>,
    /// All options.
    pub options: DiskOptions,
}

/// Attributes of [`DiskConf`] that are not options.
const DISK_OWN: &[AttrSpec] = &[
    own(1, "backing_dev", AttrType::Text(127)),
    own(2, "meta_dev", AttrType::Text(127)),
    own(3, "meta_dev_idx", AttrType::S32),
];

const fn own(nr: u16, name: &'static str, kind: AttrType) -> AttrSpec {
    AttrSpec {
        nr,
        name,
        kind,
        required: true,
        secret: false,
    }
}

impl AttrBlock for DiskConf {
    const NR: u16 = 3;
    const NAME: &'static str = "disk_conf";
    const ATTRS: &'static [AttrSpec] = DISK_OWN;

    fn apply(&mut self, nr: u16, payload: &[u8]) -> Result<bool, AttrError> {
        match nr {
            1 => self.backing_dev = decode_own("backing_dev", payload)?,
            2 => self.meta_dev = decode_own("meta_dev", payload)?,
            3 => self.meta_dev_idx = decode_own("meta_dev_idx", payload)?,
            _ => return self.options.apply(nr, payload),
        }
        Ok(true)
    }

    fn emit<S: AttrSink>(&self, sink: &mut S, with_secrets: bool) -> Result<(), S::Error> {
        self.backing_dev.put(1, sink)?;
        self.meta_dev.put(2, sink)?;
        self.meta_dev_idx.put(3, sink)?;
        self.options.emit(sink, with_secrets)
    }
}

fn decode_own<V: AttrValue>(name: &'static str, payload: &[u8]) -> Result<V, AttrError> {
    V::decode(payload).ok_or(AttrError::BadLength(name))
}

/// Makes a block that is nothing but an option table.
macro_rules! option_block {
    ($(#[$meta:meta])* $name:ident: $top:literal $top_name:literal, $table:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            /// All options.
            pub options: $table,
        }

        impl AttrBlock for $name {
            const NR: u16 = $top;
            const NAME: &'static str = $top_name;
            /// None of its own: see the option table.
            const ATTRS: &'static [AttrSpec] = &[];

            fn apply(&mut self, nr: u16, payload: &[u8]) -> Result<bool, AttrError> {
                self.options.apply(nr, payload)
            }

            fn emit<S: AttrSink>(
                &self,
                sink: &mut S,
                with_secrets: bool,
            ) -> Result<(), S::Error> {
                self.options.emit(sink, with_secrets)
            }
        }
    };
}

option_block! {
    /// Of `NEW_RESOURCE` and `RESOURCE_OPTS`.
    ResourceOpts: 4 "res_opts", ResourceOptions
}

option_block! {
    /// Of `CONNECT` and `CHG_NET_OPTS`.
    NetConf: 5 "net_conf", NetOptions
}
