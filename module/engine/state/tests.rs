// SPDX-License-Identifier: GPL-2.0

//! Tests of state names, numbers and packing.

use super::*;
use proptest::prelude::*;

#[test]
fn every_number_names_itself() {
    for &s in Role::ALL {
        assert_eq!(Role::from_u8(s.number()), Some(s));
    }
    for &s in ConnState::ALL {
        assert_eq!(ConnState::from_u8(s.number()), Some(s));
    }
    for &s in DiskState::ALL {
        assert_eq!(DiskState::from_u8(s.number()), Some(s));
    }
    assert_eq!(Role::from_u8(3), None);
    assert_eq!(ConnState::ALL.len(), 24);
    assert_eq!(ConnState::from_u8(24), None);
    assert_eq!(DiskState::from_u8(9), None);
}

#[test]
fn names_are_those_of_drbd() {
    assert_eq!(ConnState::WfBitMapS.as_str(), "WFBitMapS");
    assert_eq!(ConnState::WfSyncUuid.as_str(), "WFSyncUUID");
    assert_eq!(ConnState::StandAlone.as_str(), "StandAlone");
    assert_eq!(DiskState::DUnknown.as_str(), "DUnknown");
    assert_eq!(DiskState::UpToDate.as_str(), "UpToDate");
    assert_eq!(Role::Secondary.as_str(), "Secondary");
}

#[test]
fn states_compare_in_drbd_order() {
    assert!(ConnState::TearDown < ConnState::WfConnection);
    assert!(ConnState::WfReportParams < ConnState::Connected);
    assert!(DiskState::Outdated < DiskState::DUnknown);
    assert!(ConnState::VerifyT.is_sync());
    assert!(!ConnState::Ahead.is_sync());
    assert!(!ConnState::WfSyncUuid.is_sync());
}

#[test]
fn connected_primary_packs_to_the_c_value() {
    let state = DeviceState {
        role: Role::Primary,
        peer: Role::Secondary,
        conn: ConnState::Connected,
        disk: DiskState::UpToDate,
        peer_disk: DiskState::UpToDate,
        ..DeviceState::INITIAL
    };
    // 1 | 2 << 2 | 10 << 4 | 8 << 9 | 8 << 13
    assert_eq!(state.pack(), StateBits(0x0001_10a9));
    let flags = DeviceState {
        user_isp: true,
        susp_fen: true,
        ..state
    };
    assert_eq!(flags.pack(), StateBits(0x0001_10a9 | 1 << 20 | 1 << 22));
}

#[test]
fn numbers_without_meaning_do_not_unpack() {
    let good = DeviceState::INITIAL.pack().0;
    assert!(DeviceState::unpack(StateBits(good | 0x3)).is_none());
    assert!(DeviceState::unpack(StateBits(good | 0x1f << 4)).is_none());
    assert!(DeviceState::unpack(StateBits(good | 0xf << 9)).is_none());
    // Unused bits do not matter.
    assert_eq!(
        DeviceState::unpack(StateBits(good | 1 << 31)),
        Some(DeviceState::INITIAL)
    );
}

#[test]
fn a_mask_over_half_a_field_is_refused() {
    assert_eq!(StateChange::unpack(StateBits(1), StateBits(1)), None);
    assert_eq!(
        StateChange::unpack(StateBits(0), StateBits(1)),
        Some(StateChange::default())
    );
}

#[test]
fn a_peers_request_is_mirrored() {
    let theirs = StateChange {
        role: Some(Role::Primary),
        conn: Some(ConnState::StartingSyncS),
        peer_disk: Some(DiskState::Outdated),
        ..StateChange::default()
    };
    let ours = StateChange {
        peer: Some(Role::Primary),
        conn: Some(ConnState::StartingSyncT),
        disk: Some(DiskState::Outdated),
        ..StateChange::default()
    };
    assert_eq!(theirs.mirrored(), Some(ours));
    let odd = StateChange {
        conn: Some(ConnState::SyncSource),
        ..StateChange::default()
    };
    assert_eq!(odd.mirrored(), None);
}

#[test]
fn a_mask_without_user_pause_leaves_peer_pause_alone() {
    assert_eq!(
        StateChange::default().mirrored(),
        Some(StateChange::default())
    );
    let paused = StateChange {
        user_isp: Some(true),
        ..StateChange::default()
    };
    assert_eq!(paused.mirrored().and_then(|c| c.peer_isp), Some(true));
}

#[test]
fn verdict_numbers_round_trip() {
    for &error in StateError::ALL {
        assert_eq!(verdict_of(error.number()), Err(error));
        assert!(error.number() < 0);
    }
    for n in 1..=4 {
        assert_eq!(number_of(verdict_of(n)), n);
    }
    assert_eq!(verdict_of(-3), Err(StateError::Unknown));
    assert_eq!(verdict_of(-22), Err(StateError::Unknown));
    assert_eq!(verdict_of(0), Err(StateError::Unknown));
}

proptest! {
    #[test]
    fn unpack_then_pack_gives_the_same_bits(bits: u32) {
        if let Some(state) = DeviceState::unpack(StateBits(bits)) {
            prop_assert_eq!(state.pack().0, bits & 0x007f_ffff);
        }
    }

    #[test]
    fn change_unpack_then_pack_gives_the_same_bits(mask: u32, value: u32) {
        if let Some(change) = StateChange::unpack(StateBits(mask), StateBits(value)) {
            let all = 0x7f_ffff;
            let want = (StateBits(mask & all), StateBits(value & mask & all));
            prop_assert_eq!(change.pack(), want);
            let state = DeviceState::INITIAL;
            let applied = change.apply(&state).pack().0;
            prop_assert_eq!(applied & mask & 0x7f_ffff, value & mask & 0x7f_ffff);
        }
    }
}
