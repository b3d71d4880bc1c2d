// SPDX-License-Identifier: GPL-2.0

//! Packets about settings: Protocol, ProtocolUpdate, SyncParam and SyncParam89.
//!
//! Algorithm names travel as text with a NUL, at most `SHARED_SECRET_MAX` bytes with it; here they
//! are byte slices without it. An empty name means "off".
//!
//! Source: `drbd_protocol.h` (`p_protocol`, `p_rs_param`, `p_rs_param_89`, `p_rs_param_95`),
//! `drbd_main.c` (`__drbd_send_protocol`, `drbd_send_sync_param`), `drbd_receiver.c`
//! (`receive_protocol`, `receive_SyncParam`).

use super::{
    Command,
    WireError,
    WireReason,
    SHARED_SECRET_MAX, //
};
use crate::engine::bytes::{
    Reader,
    Writer, //
};
use crate::engine::options::{
    DiskOptions,
    NetOptions, //
};

/// Cuts a name at its NUL; without one it must be shorter than the longest field.
fn name_in(field: &[u8], command: Command) -> Result<&[u8], WireError> {
    match field.iter().position(|&byte| byte == 0) {
        Some(end) => Ok(field.get(..end).unwrap_or(&[])),
        None if field.len() < SHARED_SECRET_MAX => Ok(field),
        None => Err(WireError::new(command, WireReason::BadText)),
    }
}

/// Checks a name that is to be sent.
fn check_name(name: &[u8], command: Command) -> Result<(), WireError> {
    if name.len() >= SHARED_SECRET_MAX || name.contains(&0) {
        return Err(WireError::new(command, WireReason::BadText));
    }
    Ok(())
}

/// Flags of the Protocol packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ConnFlags(pub u32);

impl ConnFlags {
    /// The sender wants to lose its changes.
    pub const DISCARD_MY_DATA: Self = Self(1);
    /// A tentative connection: hand-shake, report, disconnect. From protocol 92 on.
    pub const DRY_RUN: Self = Self(2);

    /// Returns whether all flags of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Payload of Protocol and ProtocolUpdate (24 bytes and, from protocol 87 on, a name).
///
/// ```text
/// 0 protocol u32   4 after-sb-0pri u32   8 after-sb-1pri u32   12 after-sb-2pri u32
/// 16 flags u32   20 two primaries u32   24 integrity algorithm, text with NUL
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolSettings<'a> {
    /// 1, 2, 3 for protocol A, B, C.
    pub protocol: u32,
    /// Split-brain policy without a Primary, as a number of `enum drbd_after_sb_p`.
    pub after_sb_0p: u32,
    /// Split-brain policy with one Primary.
    pub after_sb_1p: u32,
    /// Split-brain policy with two Primaries.
    pub after_sb_2p: u32,
    /// Flags.
    pub flags: ConnFlags,
    /// Not 0 if two Primaries are allowed.
    pub two_primaries: u32,
    /// Algorithm of the digests that the sender appends to its data; empty below protocol 87.
    pub integrity_alg: &'a [u8],
}

impl<'a> ProtocolSettings<'a> {
    /// What these options say.
    pub fn of(net: &'a NetOptions) -> Self {
        let set = |on, flag| if on { flag } else { ConnFlags::default() };
        Self {
            protocol: net.protocol as u32,
            after_sb_0p: net.after_sb_0pri as u32,
            after_sb_1p: net.after_sb_1pri as u32,
            after_sb_2p: net.after_sb_2pri as u32,
            flags: set(net.discard_my_data, ConnFlags::DISCARD_MY_DATA)
                .with(set(net.tentative, ConnFlags::DRY_RUN)),
            two_primaries: u32::from(net.allow_two_primaries),
            integrity_alg: net.data_integrity_alg.as_bytes(),
        }
    }

    /// Length of the part before the name, in bytes.
    pub const FIXED_LEN: usize = 24;

    /// Reads the payload of a packet `command` of protocol `version`.
    pub fn parse(command: Command, payload: &'a [u8], version: u32) -> Result<Self, WireError> {
        let error = WireError::of(command);
        let mut r = Reader::new(payload);
        let mut settings = Self {
            protocol: r.u32().map_err(&error)?,
            after_sb_0p: r.u32().map_err(&error)?,
            after_sb_1p: r.u32().map_err(&error)?,
            after_sb_2p: r.u32().map_err(&error)?,
            flags: ConnFlags(r.u32().map_err(&error)?),
            two_primaries: r.u32().map_err(&error)?,
            integrity_alg: &[],
        };
        let longest = if version >= 87 { SHARED_SECRET_MAX } else { 0 };
        if r.remaining() > longest {
            return Err(WireError::new(command, WireReason::TooLong));
        }
        settings.integrity_alg = name_in(r.rest(), command)?;
        Ok(settings)
    }

    /// Writes the payload of a packet `command` of protocol `version`; returns its length.
    ///
    /// Below protocol 92 a dry run can't be told to the peer; that is `WrongVersion`.
    pub fn emit(&self, command: Command, out: &mut [u8], version: u32) -> Result<usize, WireError> {
        if version < 92 && self.flags.has(ConnFlags::DRY_RUN) {
            return Err(WireError::new(command, WireReason::WrongVersion));
        }
        check_name(self.integrity_alg, command)?;
        let error = WireError::of(command);
        let mut w = Writer::new(out);
        for number in [
            self.protocol,
            self.after_sb_0p,
            self.after_sb_1p,
            self.after_sb_2p,
            self.flags.0,
            self.two_primaries,
        ] {
            w.u32(number).map_err(&error)?;
        }
        if version >= 87 {
            w.bytes(self.integrity_alg).map_err(&error)?;
            w.u8(0).map_err(&error)?;
        }
        Ok(w.len())
    }

    /// Returns the length in protocol `version`, in bytes.
    pub const fn encoded_len(&self, version: u32) -> usize {
        if version >= 87 {
            // The name and its NUL.
            self.integrity_alg.len().saturating_add(Self::FIXED_LEN + 1)
        } else {
            Self::FIXED_LEN
        }
    }
}

/// Settings of the resync rate controller, from protocol 95 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerParams {
    /// Horizon in units of 100 ms; 0 turns the controller off.
    pub plan_ahead: u32,
    /// Wanted delay in units of 100 ms.
    pub delay_target: u32,
    /// Wanted amount in flight, in sectors.
    pub fill_target: u32,
    /// Highest rate in KiB/s.
    pub max_rate: u32,
}

/// Payload of SyncParam (up to protocol 88) and SyncParam89 (from protocol 89 on).
///
/// ```text
/// up to 87: 0 rate u32
/// 88:       0 rate u32   4 verify algorithm, text with NUL
/// 89 to 94: 0 rate u32   4 verify algorithm, 64 bytes   68 checksum algorithm, 64 bytes
/// from 95:  the same, and 132 plan u32   136 delay u32   140 fill u32   144 highest rate u32
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncParams<'a> {
    /// Fixed resync rate in KiB/s.
    pub resync_rate: u32,
    /// Algorithm of online verify; empty below protocol 88.
    pub verify_alg: &'a [u8],
    /// Algorithm of checksum-based resync; empty below protocol 89.
    pub csums_alg: &'a [u8],
    /// Controller settings; `None` below protocol 95.
    pub controller: Option<ControllerParams>,
}

impl<'a> SyncParams<'a> {
    /// What these options say.
    pub fn of(net: &'a NetOptions, disk: &DiskOptions) -> Self {
        Self {
            resync_rate: disk.resync_rate,
            verify_alg: net.verify_alg.as_bytes(),
            csums_alg: net.csums_alg.as_bytes(),
            controller: Some(ControllerParams {
                plan_ahead: disk.c_plan_ahead,
                delay_target: disk.c_delay_target,
                fill_target: disk.c_fill_target,
                max_rate: disk.c_max_rate,
            }),
        }
    }

    /// Returns the command that carries the settings in protocol `version`.
    pub const fn command_in(version: u32) -> Command {
        if version >= 89 {
            Command::SyncParam89
        } else {
            Command::SyncParam
        }
    }

    /// Reads the payload of protocol `version`.
    pub fn parse(payload: &'a [u8], version: u32) -> Result<Self, WireError> {
        let command = Self::command_in(version);
        let error = WireError::of(command);
        let mut r = Reader::new(payload);
        let mut params = Self {
            resync_rate: r.u32().map_err(&error)?,
            verify_alg: &[],
            csums_alg: &[],
            controller: None,
        };
        if version == 88 {
            let text = r.take(r.remaining()).map_err(&error)?;
            if text.is_empty() {
                return Err(WireError::new(command, WireReason::TooShort));
            }
            if text.len() > SHARED_SECRET_MAX {
                return Err(WireError::new(command, WireReason::TooLong));
            }
            params.verify_alg = name_in(text, command)?;
        } else if version >= 89 {
            params.verify_alg = name_in(r.take(SHARED_SECRET_MAX).map_err(&error)?, command)?;
            params.csums_alg = name_in(r.take(SHARED_SECRET_MAX).map_err(&error)?, command)?;
        }
        if version >= 95 {
            params.controller = Some(ControllerParams {
                plan_ahead: r.u32().map_err(&error)?,
                delay_target: r.u32().map_err(&error)?,
                fill_target: r.u32().map_err(&error)?,
                max_rate: r.u32().map_err(&error)?,
            });
        }
        if r.remaining() > 0 {
            return Err(WireError::new(command, WireReason::TooLong));
        }
        Ok(params)
    }

    /// Writes the payload of protocol `version`; returns its length.
    ///
    /// From protocol 95 on the controller settings must be there; else that is `BadValue`.
    pub fn emit(&self, out: &mut [u8], version: u32) -> Result<usize, WireError> {
        let command = Self::command_in(version);
        let error = WireError::of(command);
        let mut w = Writer::new(out);
        w.u32(self.resync_rate).map_err(&error)?;
        check_name(self.verify_alg, command)?;
        check_name(self.csums_alg, command)?;
        if version == 88 {
            w.bytes(self.verify_alg).map_err(&error)?;
            w.u8(0).map_err(&error)?;
        } else if version >= 89 {
            for name in [self.verify_alg, self.csums_alg] {
                w.bytes(name).map_err(&error)?;
                w.zeros(SHARED_SECRET_MAX.saturating_sub(name.len()))
                    .map_err(&error)?;
            }
        }
        if version >= 95 {
            let c = self
                .controller
                .ok_or(WireError::new(command, WireReason::BadValue))?;
            for number in [c.plan_ahead, c.delay_target, c.fill_target, c.max_rate] {
                w.u32(number).map_err(&error)?;
            }
        }
        Ok(w.len())
    }

    /// Returns the length in protocol `version`, in bytes.
    pub const fn encoded_len(&self, version: u32) -> usize {
        match version {
            0..=87 => 4,
            88 => self.verify_alg.len().saturating_add(4 + 1),
            89..=94 => 4 + 2 * SHARED_SECRET_MAX,
            _ => 4 + 2 * SHARED_SECRET_MAX + 16,
        }
    }
}
