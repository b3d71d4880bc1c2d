// SPDX-License-Identifier: GPL-2.0

//! The state of one volume and its packed 32-bit form.
//!
//! Packed form, bit 0 = least significant:
//! ```text
//!  0..=1  role       2..=3  peer role   4..=8  connection   9..=12 disk   13..=16 peer's disk
//! 17 susp   18 aftr_isp   19 peer_isp   20 user_isp   21 susp_nod   22 susp_fen   23.. zero
//! ```
//! On the wire the 32-bit value is big-endian. A state change request carries two of them, a mask
//! and a value; a field takes part if all of its mask bits are set.
//!
//! Source: `include/uapi/linux/drbd.h` (`union drbd_state`).

use super::{
    ConnState,
    DiskState,
    Role, //
};

/// A field's place in the packed state: lowest bit and number of bits.
#[derive(Clone, Copy)]
struct Field {
    shift: u32,
    width: u32,
}

impl Field {
    const fn new(shift: u32, width: u32) -> Self {
        Self { shift, width }
    }

    /// The field's value if all of its bits are one.
    const fn full(self) -> u32 {
        (1 << self.width) - 1
    }

    const fn get(self, bits: u32) -> u32 {
        (bits >> self.shift) & self.full()
    }

    const fn put(self, value: u32) -> u32 {
        (value & self.full()) << self.shift
    }

    /// The field's value as a byte; every field is at most five bits wide.
    const fn byte(self, bits: u32) -> u8 {
        self.get(bits).to_le_bytes()[0]
    }

    const fn flag(self, bits: u32) -> bool {
        self.get(bits) != 0
    }
}

const ROLE: Field = Field::new(0, 2);
const PEER: Field = Field::new(2, 2);
const CONN: Field = Field::new(4, 5);
const DISK: Field = Field::new(9, 4);
const PDSK: Field = Field::new(13, 4);
const SUSP: Field = Field::new(17, 1);
const AFTR_ISP: Field = Field::new(18, 1);
const PEER_ISP: Field = Field::new(19, 1);
const USER_ISP: Field = Field::new(20, 1);
const SUSP_NOD: Field = Field::new(21, 1);
const SUSP_FEN: Field = Field::new(22, 1);

/// A packed state or a packed mask, not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StateBits(pub u32);

/// The state of one volume as one node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// Own role.
    pub role: Role,
    /// The peer's role.
    pub peer: Role,
    /// Connection and replication state.
    pub conn: ConnState,
    /// Own disk.
    pub disk: DiskState,
    /// The peer's disk.
    pub peer_disk: DiskState,
    /// I/O is suspended by the administrator.
    pub susp: bool,
    /// Resync is paused because another one goes first (`resync-after`).
    pub aftr_isp: bool,
    /// Resync is paused by the peer.
    pub peer_isp: bool,
    /// Resync is paused by the administrator.
    pub user_isp: bool,
    /// I/O is suspended because no data is accessible.
    pub susp_nod: bool,
    /// I/O is suspended while the fence-peer handler runs.
    pub susp_fen: bool,
}

impl Default for DeviceState {
    fn default() -> Self {
        Self::INITIAL
    }
}

impl DeviceState {
    /// A fresh volume: Secondary, StandAlone, Diskless, nothing known of the peer.
    pub const INITIAL: Self = Self {
        role: Role::Secondary,
        peer: Role::Unknown,
        conn: ConnState::StandAlone,
        disk: DiskState::Diskless,
        peer_disk: DiskState::DUnknown,
        susp: false,
        aftr_isp: false,
        peer_isp: false,
        user_isp: false,
        susp_nod: false,
        susp_fen: false,
    };

    /// Packs the state.
    pub fn pack(&self) -> StateBits {
        StateBits(
            ROLE.put(self.role as u32)
                | PEER.put(self.peer as u32)
                | CONN.put(self.conn as u32)
                | DISK.put(self.disk as u32)
                | PDSK.put(self.peer_disk as u32)
                | SUSP.put(u32::from(self.susp))
                | AFTR_ISP.put(u32::from(self.aftr_isp))
                | PEER_ISP.put(u32::from(self.peer_isp))
                | USER_ISP.put(u32::from(self.user_isp))
                | SUSP_NOD.put(u32::from(self.susp_nod))
                | SUSP_FEN.put(u32::from(self.susp_fen)),
        )
    }

    /// Unpacks a state; `None` if a number in it has no meaning. Unused bits are ignored.
    pub fn unpack(bits: StateBits) -> Option<Self> {
        let b = bits.0;
        Some(Self {
            role: Role::from_u8(ROLE.byte(b))?,
            peer: Role::from_u8(PEER.byte(b))?,
            conn: ConnState::from_u8(CONN.byte(b))?,
            disk: DiskState::from_u8(DISK.byte(b))?,
            peer_disk: DiskState::from_u8(PDSK.byte(b))?,
            susp: SUSP.flag(b),
            aftr_isp: AFTR_ISP.flag(b),
            peer_isp: PEER_ISP.flag(b),
            user_isp: USER_ISP.flag(b),
            susp_nod: SUSP_NOD.flag(b),
            susp_fen: SUSP_FEN.flag(b),
        })
    }

    /// Returns whether I/O is suspended for any reason.
    pub const fn is_suspended(&self) -> bool {
        self.susp || self.susp_nod || self.susp_fen
    }

    /// Returns whether resync is paused for any reason.
    pub const fn is_sync_paused(&self) -> bool {
        self.aftr_isp || self.peer_isp || self.user_isp
    }
}

/// A requested state change: the fields to change, with their new values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StateChange {
    /// New own role.
    pub role: Option<Role>,
    /// New role of the peer.
    pub peer: Option<Role>,
    /// New connection state.
    pub conn: Option<ConnState>,
    /// New state of the own disk.
    pub disk: Option<DiskState>,
    /// New state of the peer's disk.
    pub peer_disk: Option<DiskState>,
    /// Suspend or resume I/O by the administrator.
    pub susp: Option<bool>,
    /// Pause or resume resync by dependency.
    pub aftr_isp: Option<bool>,
    /// Pause or resume resync by the peer.
    pub peer_isp: Option<bool>,
    /// Pause or resume resync by the administrator.
    pub user_isp: Option<bool>,
    /// Suspend or resume I/O for want of data.
    pub susp_nod: Option<bool>,
    /// Suspend or resume I/O for fencing.
    pub susp_fen: Option<bool>,
}

/// Reads one field of a (mask, value) pair: `Ok(None)` if it takes no part.
fn masked(field: Field, mask: u32, value: u32) -> Option<Option<u8>> {
    match field.get(mask) {
        0 => Some(None),
        m if m == field.full() => Some(Some(field.byte(value))),
        _ => None,
    }
}

/// Like `masked`, and turns the number into a named state.
fn named<T>(
    field: Field,
    mask: u32,
    value: u32,
    from_u8: fn(u8) -> Option<T>,
) -> Option<Option<T>> {
    match masked(field, mask, value)? {
        None => Some(None),
        Some(number) => from_u8(number).map(Some),
    }
}

impl StateChange {
    /// Reads the request from its mask and value.
    ///
    /// `None` if a mask covers a field in part, or a value has no meaning.
    pub fn unpack(mask: StateBits, value: StateBits) -> Option<Self> {
        let (m, v) = (mask.0, value.0);
        let bit = |field| masked(field, m, v).map(|f| f.map(|b| b != 0));
        Some(Self {
            role: named(ROLE, m, v, Role::from_u8)?,
            peer: named(PEER, m, v, Role::from_u8)?,
            conn: named(CONN, m, v, ConnState::from_u8)?,
            disk: named(DISK, m, v, DiskState::from_u8)?,
            peer_disk: named(PDSK, m, v, DiskState::from_u8)?,
            susp: bit(SUSP)?,
            aftr_isp: bit(AFTR_ISP)?,
            peer_isp: bit(PEER_ISP)?,
            user_isp: bit(USER_ISP)?,
            susp_nod: bit(SUSP_NOD)?,
            susp_fen: bit(SUSP_FEN)?,
        })
    }

    /// Packs the request as (mask, value).
    pub fn pack(&self) -> (StateBits, StateBits) {
        let fields = [
            (ROLE, self.role.map(|s| s as u32)),
            (PEER, self.peer.map(|s| s as u32)),
            (CONN, self.conn.map(|s| s as u32)),
            (DISK, self.disk.map(|s| s as u32)),
            (PDSK, self.peer_disk.map(|s| s as u32)),
            (SUSP, self.susp.map(u32::from)),
            (AFTR_ISP, self.aftr_isp.map(u32::from)),
            (PEER_ISP, self.peer_isp.map(u32::from)),
            (USER_ISP, self.user_isp.map(u32::from)),
            (SUSP_NOD, self.susp_nod.map(u32::from)),
            (SUSP_FEN, self.susp_fen.map(u32::from)),
        ];
        let (mut mask, mut value) = (0, 0);
        for (field, requested) in fields {
            if let Some(number) = requested {
                mask |= field.put(field.full());
                value |= field.put(number);
            }
        }
        (StateBits(mask), StateBits(value))
    }

    /// Turns a request that the peer sent, in its own view, into this node's view.
    ///
    /// Own and peer change places; a pause on the peer's side is a pause by the peer here. `None`
    /// if the requested connection state is none that a peer may ask for.
    pub fn mirrored(&self) -> Option<Self> {
        let conn = match self.conn {
            None => None,
            Some(conn) => Some(conn.mirrored()?),
        };
        let peer_isp = match (self.aftr_isp, self.user_isp) {
            (None, None) => None,
            (aftr, user) => Some(aftr == Some(true) || user == Some(true)),
        };
        Some(Self {
            role: self.peer,
            peer: self.role,
            conn,
            disk: self.peer_disk,
            peer_disk: self.disk,
            susp: self.susp,
            peer_isp,
            aftr_isp: None,
            user_isp: None,
            susp_nod: self.susp_nod,
            susp_fen: self.susp_fen,
        })
    }

    /// Returns `state` with the requested fields replaced.
    pub fn apply(&self, state: &DeviceState) -> DeviceState {
        DeviceState {
            role: self.role.unwrap_or(state.role),
            peer: self.peer.unwrap_or(state.peer),
            conn: self.conn.unwrap_or(state.conn),
            disk: self.disk.unwrap_or(state.disk),
            peer_disk: self.peer_disk.unwrap_or(state.peer_disk),
            susp: self.susp.unwrap_or(state.susp),
            aftr_isp: self.aftr_isp.unwrap_or(state.aftr_isp),
            peer_isp: self.peer_isp.unwrap_or(state.peer_isp),
            user_isp: self.user_isp.unwrap_or(state.user_isp),
            susp_nod: self.susp_nod.unwrap_or(state.susp_nod),
            susp_fen: self.susp_fen.unwrap_or(state.susp_fen),
        }
    }
}
