// SPDX-License-Identifier: GPL-2.0

//! The events of a resource as bytes.

use crate::engine::broken::Invariant;
use crate::engine::bytes::{
    BytesError,
    Reader,
    Writer, //
};
use crate::engine::control::AttrSink;
use crate::engine::login::LoginError;
use crate::engine::meta::activity_log_block::Ring;
use crate::engine::meta::geometry::{
    Geometry,
    Layout, //
};
use crate::engine::meta::superblock::{
    Flags,
    Superblock, //
};
use crate::engine::options::{
    DiskOptions,
    FixedStr,
    NetOptions,
    OptionTable,
    ResourceOptions, //
};
use crate::engine::resource::{
    Admin,
    Call,
    Disk,
    Env,
    Event,
    IoKind,
    Loss,
    LowerSizes,
    PeerProtocol,
    PeerSyncParams,
    RarePacket,
    SizeWish,
    Token, //
};
use crate::engine::state::StateBits;
use crate::engine::uuid::Uuids;
use crate::engine::wire::handshake::{
    ConnectionFeatures,
    Features, //
};
use crate::engine::wire::params::{
    ConnFlags,
    ControllerParams, //
};
use crate::engine::wire::state::{
    QueueLimits,
    SizeFlags,
    SizeNumbers,
    SizeReport,
    StateReport,
    StateRequest,
    SyncUuid,
    UuidFlags,
    UuidReport, //
};
use crate::engine::wire::Command;

use super::code::{
    code_enums,
    code_newtypes,
    code_structs, //
};
use super::{
    Code,
    Written, //
};

code_newtypes!(Call Token StateBits Features Flags UuidFlags SizeFlags ConnFlags);

code_structs! {
    Env { now, random }
    Disk { superblock, geometry, laid_out_for, max_capacity, limits, discard }
    LowerSizes { data, meta }
    Geometry { layout, superblock, md_size, al_offset, bm_offset, ring }
    SizeWish { size, assume_peer_has_space, assume_clean, al_stripes, al_stripe_kib }
    Superblock {
        clean, last_size, uuids, device_uuid, flags, md_size, al_offset, al_slots, bm_offset,
        peer_max_bio_size, ring,
    }
    Uuids { current, bitmap, history }
    Ring { stripes, stripe_blocks }
    ConnectionFeatures { protocol_min, features, protocol_max }
    PeerSyncParams { verify_alg, csums_alg, resync_rate, controller }
    ControllerParams { plan_ahead, delay_target, fill_target, max_rate }
    PeerProtocol { protocol, after_split_brain, two_primaries, flags, integrity_alg }
    SizeReport { sizes, limits }
    SizeNumbers {
        disk_size, user_size, current_size, max_bio_size, queue_order_type, flags,
    }
    QueueLimits {
        physical_block_size, logical_block_size, alignment_offset, io_min, io_opt,
        discard_enabled, discard_zeroes_data, write_same_capable,
    }
    UuidReport { current, bitmap, history0, history1, bits_set, flags }
    StateReport { state }
    StateRequest { mask, value }
    SyncUuid { uuid }
}

code_enums! {
    Event {
        0 Admin(token, command),
        1 GiveUp(token),
        2 Connecting,
        3 Features(features),
        4 Handshaken { resolver },
        5 Packet { volume, packet },
        6 BitmapReceived { volume },
        7 BitmapSent { volume },
        8 Trouble(loss),
        9 Disconnected(loss),
        10 ResyncFinished { volume, failed },
        11 IoError { volume, kind },
        12 DiskReleased { volume, saved },
        13 Tick,
        14 Login(result),
        15 HandlerDone { call, status },
        16 VerifyFinished { volume },
        17 Drained { volume },
        18 Broken { volume, invariant },
        19 FlushUnsupported,
        20 Congested { volume, limit },
        21 Relieved { volume },
        22 Depends { volume, waits },
        23 TooLarge { volume },
        24 PingAnswered,
        25 Abandon(token),
        26 Unanswered { volume },
    }
    Admin {
        0 Attach { volume, disk, options },
        1 Detach { volume, force },
        2 DiskOptions { volume, options },
        3 Connect { options },
        4 NetOptions { options },
        5 Disconnect { force },
        6 ResourceOptions { options },
        7 Promote { volume, force },
        8 Demote { volume },
        9 Outdate { volume },
        10 Suspend { volume, on },
        11 PauseSync { volume, on },
        12 Invalidate { volume, remote },
        13 NewCurrentUuid { volume, clear_bitmap },
        14 Verify { volume, range },
        15 Resize { volume, wish },
    }
    Layout {
        0 Internal,
        1 FlexibleExternal,
        2 Indexed(index),
    }
    RarePacket {
        0 Protocol(protocol),
        1 Sizes(sizes),
        2 Uuids(uuids),
        3 State(state),
        4 SyncUuid(uuid),
        5 StateRequest(request),
        6 ConnStateRequest(request),
        7 StateReply(number),
        8 ProtocolUpdate(protocol),
        9 SyncParams(params),
    }
    LoginError {
        0 NoChallenge(command),
        1 ChallengeLength(bytes),
        2 Reflected,
        3 NoResponse(command),
        4 ResponseLength { expected, received },
        5 WrongResponse,
    }
    Loss {
        0 Timeout,
        1 BrokenPipe,
        2 NetworkFailure,
        3 ProtocolError,
        4 TearDown,
    }
    IoKind {
        0 Read,
        1 Write,
        2 Metadata,
        3 Timeout,
    }
}

impl Code for Invariant {
    fn put(&self, w: &mut Writer<'_>) -> Written {
        self.number().put(w)
    }

    fn get(r: &mut Reader<'_>) -> Option<Self> {
        Self::ALL.get(usize::get(r)?).copied()
    }
}

impl Code for Command {
    fn put(&self, w: &mut Writer<'_>) -> Written {
        w.u16(self.number())
    }

    fn get(r: &mut Reader<'_>) -> Option<Self> {
        r.u16().ok().map(Self::from_u16)
    }
}

impl<const N: usize> Code for FixedStr<N> {
    fn put(&self, w: &mut Writer<'_>) -> Written {
        self.len().put(w)?;
        w.bytes(self.as_bytes())
    }

    fn get(r: &mut Reader<'_>) -> Option<Self> {
        let len = usize::get(r)?;
        Self::new(r.take(len).ok()?)
    }
}

/// Options, as attributes: number, length, payload; a zero number ends them. Secrets are left out.
struct Attributes<'a, 'b>(&'a mut Writer<'b>);

impl AttrSink for Attributes<'_, '_> {
    type Error = BytesError;

    fn put(&mut self, nr: u16, bytes: &[u8]) -> Written {
        self.0.u16(nr)?;
        self.0
            .u16(u16::try_from(bytes.len()).map_err(|_| BytesError::NoRoom)?)?;
        self.0.bytes(bytes)
    }
}

fn put_options<T: OptionTable>(options: &T, w: &mut Writer<'_>) -> Written {
    options.emit(&mut Attributes(w), false)?;
    w.u16(0)
}

fn get_options<T: OptionTable>(r: &mut Reader<'_>) -> Option<T> {
    let mut options = T::default();
    loop {
        let nr = r.u16().ok()?;
        if nr == 0 {
            return Some(options);
        }
        let len = usize::from(r.u16().ok()?);
        if !options.apply(nr, r.take(len).ok()?).ok()? {
            return None;
        }
    }
}

macro_rules! code_options {
    ($($name:ident)*) => {$(
        impl Code for $name {
            fn put(&self, w: &mut Writer<'_>) -> Written {
                put_options(self, w)
            }

            fn get(r: &mut Reader<'_>) -> Option<Self> {
                get_options(r)
            }
        }
    )*};
}

code_options!(DiskOptions NetOptions ResourceOptions);
