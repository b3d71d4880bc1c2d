// SPDX-License-Identifier: GPL-2.0

//! Tests of the shell variables.

use super::*;
use tandem_engine::{
    control::CfgContext,
    options::FixedStr,
    state::{
        ConnState,
        DiskState, //
    }, //
};

fn reply(info: &StateInfo) -> Reply {
    let context = CfgContext {
        ctx_volume: Some(0),
        ctx_resource_name: FixedStr::new(b"r0"),
        ..CfgContext::default()
    };
    let request = Request::for_minor(Command::GetStatus, 3)
        .with(&context)
        .with(info);
    let mut body = request.body();
    // The reply code stands where a request has its flags.
    body[4] = 101;
    Reply::from_body(Command::GetStatus, &body).unwrap()
}

fn text(state: DeviceState, total: Option<u64>, out_of_sync: Option<u64>) -> String {
    let info = StateInfo {
        current_state: Some(state.pack().0),
        bits_rs_total: total,
        bits_oos: out_of_sync,
        ..StateInfo::default()
    };
    variables(&reply(&info)).unwrap()
}

#[test]
fn a_minor_without_disk_and_connection_is_unconfigured() {
    assert_eq!(
        text(DeviceState::INITIAL, None, None),
        "_minor=3\n_res_name=r0\n_volume=0\n_known=Unconfigured\n\n_cstate=Unconfigured\n\
         _role=\n_peer=\n_disk=\n_pdsk=\n_flags_susp=\n_flags_aftr_isp=\n_flags_peer_isp=\n\
         _flags_user_isp=\n_resynced_percent=\n\n_sh_status_process\n\n\n"
    );
}

#[test]
fn a_minor_is_a_block_of_variables() {
    let state = DeviceState {
        conn: ConnState::SyncSource,
        disk: DiskState::UpToDate,
        user_isp: true,
        ..DeviceState::INITIAL
    };
    assert_eq!(
        text(state, Some(1000), Some(877)),
        "_minor=3\n_res_name=r0\n_volume=0\n_known=Configured\n\n_cstate=SyncSource\n\
         _role=Secondary\n_peer=Unknown\n_disk=UpToDate\n_pdsk=DUnknown\n\n_flags_susp=\n\
         _flags_aftr_isp=\n_flags_peer_isp=\n_flags_user_isp=1\n\n_resynced_percent=12.3\n\n\
         _sh_status_process\n\n\n"
    );
}

#[test]
fn a_reply_without_state_is_an_error() {
    assert!(variables(&reply(&StateInfo::default())).is_err());
}
