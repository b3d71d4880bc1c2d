// SPDX-License-Identifier: GPL-2.0

//! Attribute blocks: a top-level attribute whose payload is a run of attributes, as one struct.
//!
//! [`attr_block!`] makes the struct, its attribute table, its parser and its emitter from one
//! list, so that no number is written twice.

use super::attr::{
    AttrError,
    AttrIter,
    AttrSink,
    AttrType, //
};

/// One attribute of a block, as a policy or a document needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttrSpec {
    /// Number inside its block.
    pub nr: u16,
    /// Name, as in the kernel's header and in lower case.
    pub name: &'static str,
    /// Wire type.
    pub kind: AttrType,
    /// A request without this attribute is refused.
    pub required: bool,
    /// Shown to a user with `CAP_SYS_ADMIN` only, and never broadcast.
    pub secret: bool,
}

/// A struct that travels as one top-level attribute.
pub trait AttrBlock: Default {
    /// Number of the top-level attribute.
    const NR: u16;
    /// Its name, for messages.
    const NAME: &'static str;
    /// Its attributes.
    const ATTRS: &'static [AttrSpec];

    /// Takes one attribute in; `Ok(false)` when no attribute has this number.
    ///
    /// # Errors
    /// A payload of a wrong length, or a value that the attribute cannot have.
    fn apply(&mut self, nr: u16, payload: &[u8]) -> Result<bool, AttrError>;

    /// Appends all attributes to `sink`; secrets only when `with_secrets`.
    ///
    /// # Errors
    /// What the sink returned.
    fn emit<S: AttrSink>(&self, sink: &mut S, with_secrets: bool) -> Result<(), S::Error>;

    /// Reads a block from the payload of its top-level attribute and ignores what it does not
    /// know: for the tool, which may be older than the kernel.
    ///
    /// # Errors
    /// The first malformed attribute.
    fn parse(payload: &[u8]) -> Result<Self, AttrError> {
        let mut block = Self::default();
        for attr in AttrIter::new(payload) {
            let (nr, payload) = attr?;
            block.apply(nr, payload)?;
        }
        Ok(block)
    }

    /// Like [`AttrBlock::parse`], but refuses unknown attributes and the absence of a required
    /// one: for the kernel, on requests.
    ///
    /// # Errors
    /// The first malformed or unknown attribute, or the first required one that is absent.
    fn parse_request(payload: &[u8]) -> Result<Self, AttrError> {
        let mut block = Self::default();
        block.update(payload)?;
        for spec in Self::ATTRS.iter().filter(|spec| spec.required) {
            let mut attrs = AttrIter::new(payload);
            if !attrs.any(|attr| matches!(attr, Ok((nr, _)) if nr == spec.nr)) {
                return Err(AttrError::Missing(spec.name));
            }
        }
        Ok(block)
    }

    /// Changes only what is in `payload`; for the commands that change options at run time,
    /// where nothing is required. On an error a part may have been taken: work on a copy.
    ///
    /// # Errors
    /// The first malformed or unknown attribute.
    fn update(&mut self, payload: &[u8]) -> Result<(), AttrError> {
        for attr in AttrIter::new(payload) {
            let (nr, payload) = attr?;
            // Number 0 is padding in front of 64-bit values on some machines.
            if nr != 0 && !self.apply(nr, payload)? {
                return Err(AttrError::Unknown(nr));
            }
        }
        Ok(())
    }
}

/// Makes a struct that implements [`AttrBlock`].
///
/// `pub struct Name: NUMBER "name" { field: Type = NUMBER [required|secret], ... }`
macro_rules! attr_block {
    (
        $(#[$meta:meta])*
        pub struct $name:ident: $top:literal $top_name:literal {
            $(
                $(#[$field_meta:meta])*
                $field:ident: $type:ty = $nr:literal $([$flag:ident])?,
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                pub $field: $type,
            )*
        }

        impl $crate::engine::control::AttrBlock for $name {
            const NR: u16 = $top;
            const NAME: &'static str = $top_name;
            const ATTRS: &'static [$crate::engine::control::AttrSpec] = &[
                $($crate::engine::control::AttrSpec {
                    nr: $nr,
                    name: stringify!($field),
                    kind: <$type as $crate::engine::control::AttrValue>::TYPE,
                    required: attr_block!(@is required $($flag)?),
                    secret: attr_block!(@is secret $($flag)?),
                },)*
            ];

            fn apply(
                &mut self,
                nr: u16,
                payload: &[u8],
            ) -> Result<bool, $crate::engine::control::AttrError> {
                match nr {
                    $($nr => {
                        self.$field = $crate::engine::control::AttrValue::decode(payload)
                            .ok_or($crate::engine::control::AttrError::BadLength(
                                stringify!($field),
                            ))?;
                    })*
                    _ => return Ok(false),
                }
                Ok(true)
            }

            fn emit<S: $crate::engine::control::AttrSink>(
                &self,
                sink: &mut S,
                with_secrets: bool,
            ) -> Result<(), S::Error> {
                let _ = with_secrets;
                $(
                    if with_secrets || !attr_block!(@is secret $($flag)?) {
                        $crate::engine::control::AttrValue::put(&self.$field, $nr, sink)?;
                    }
                )*
                Ok(())
            }
        }
    };
    (@is required required) => { true };
    (@is secret secret) => { true };
    (@is $asked:ident $($flag:ident)?) => { false };
}

pub(super) use attr_block;

/// Calls `$then!(Block, Block, ...)` with the names of all attribute blocks of the family, which
/// the caller has in scope: for tests that hold for each.
#[macro_export]
macro_rules! for_blocks {
    ($then:ident) => {
        $then!(
            CfgReply,
            CfgContext,
            DiskConf,
            ResourceOpts,
            NetConf,
            SetRoleParms,
            ResizeParms,
            StateInfo,
            StartOvParms,
            NewCUuidParms,
            TimeoutParms,
            DisconnectParms,
            DetachParms,
            ResourceInfo,
            DeviceInfo,
            ConnectionInfo,
            PeerDeviceInfo,
            ResourceStatistics,
            DeviceStatistics,
            ConnectionStatistics,
            PeerDeviceStatistics,
            NotificationHeader,
            HelperInfo
        )
    };
}
