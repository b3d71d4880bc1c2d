// SPDX-License-Identifier: GPL-2.0

//! Tests of which version has which commands.

use super::handshake::Features;
use super::*;

#[test]
fn commands_come_with_the_version_or_the_feature_that_has_them() {
    let all = Features::OWN;
    for (command, since) in [
        (Command::Data, 86),
        (Command::OvRequest, 88),
        (Command::OvReply, 88),
        (Command::CsumRsRequest, 89),
        (Command::SyncParam89, 89),
        (Command::CompressedBitmap, 90),
        (Command::OutOfSync, 96),
        (Command::ConnStChgReq, 100),
        (Command::ProtocolUpdate, 100),
    ] {
        for version in PROTOCOL_MIN..=PROTOCOL_MAX {
            let known = command.on_data_socket(version, all).is_some();
            assert_eq!(known, version >= since, "{command:?} in {version}");
        }
    }
    for (command, since) in [
        (Command::WriteAck, 86),
        (Command::OvResult, 88),
        (Command::RsIsInSync, 89),
        (Command::RsCancel, 96),
        (Command::ConnStChgReply, 100),
        (Command::RetryWrite, 100),
    ] {
        for version in PROTOCOL_MIN..=PROTOCOL_MAX {
            let known = command.on_meta_socket(version).is_some();
            assert_eq!(known, version >= since, "{command:?} in {version}");
        }
    }
    for version in PROTOCOL_MIN..=PROTOCOL_MAX {
        let old = Command::SyncParam.on_data_socket(version, all).is_some();
        assert_eq!(old, version < 89);
    }
    for (command, feature) in [
        (Command::Trim, Features::TRIM),
        (Command::Zeroes, Features::WZEROES),
        (Command::RsThinReq, Features::THIN_RESYNC),
        (Command::RsDeallocated, Features::THIN_RESYNC),
    ] {
        assert!(command.on_data_socket(101, feature).is_some());
        let others = Features(all.0 & !feature.0);
        assert_eq!(command.on_data_socket(101, others), None, "{command:?}");
    }
}
