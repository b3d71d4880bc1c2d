// SPDX-License-Identifier: GPL-2.0

//! Tests of the shell variables.

use super::*;
use tandem_engine::{
    control::CfgContext,
    options::FixedStr, //
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

#[test]
fn a_minor_is_a_block_of_variables() {
    let info = StateInfo {
        current_state: Some(DeviceState::INITIAL.pack().0),
        ..StateInfo::default()
    };
    let text = variables(&reply(&info)).unwrap();
    assert!(
        text.starts_with("_minor=3\n_res_name=r0\n_volume=0\n_known=Configured\n"),
        "{text}"
    );
    assert!(
        text.contains("_cstate=StandAlone\n_role=Secondary\n_peer=Unknown\n"),
        "{text}"
    );
    assert!(text.contains("_disk=Diskless\n_pdsk=DUnknown\n"), "{text}");
    assert!(text.contains("_flags_susp=\n"), "{text}");
    assert!(text.contains("_resynced_percent=\n"), "{text}");
    assert!(text.contains("\n_sh_status_process\n"), "{text}");
}

#[test]
fn a_resync_has_its_percentage() {
    let info = StateInfo {
        current_state: Some(DeviceState::INITIAL.pack().0),
        bits_rs_total: Some(1000),
        bits_oos: Some(877),
        ..StateInfo::default()
    };
    let text = variables(&reply(&info)).unwrap();
    assert!(text.contains("_resynced_percent=12.3\n"), "{text}");
}
