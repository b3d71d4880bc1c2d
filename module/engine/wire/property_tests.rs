// SPDX-License-Identifier: GPL-2.0

//! What holds for every packet, whatever is in it.

use super::{
    ack::*,
    bitmap::*,
    data::*,
    handshake::*,
    params::*,
    state::*,
    *, //
};
use proptest::{
    collection::vec,
    prelude::*, //
};
use std::vec::Vec;

/// Calls `$check!(Type, Command)` for every packet of fixed size.
macro_rules! for_fixed_packets {
    ($check:ident) => {
        $check!(DataHeader, Data);
        $check!(TrimRequest, Trim);
        $check!(BlockRequest, DataRequest);
        $check!(BlockDesc, OutOfSync);
        $check!(Barrier, Barrier);
        $check!(DelayProbe, DelayProbe);
        $check!(BlockAck, WriteAck);
        $check!(BarrierAck, BarrierAck);
        $check!(ConnectionFeatures, ConnectionFeatures);
        $check!(StateReport, State);
        $check!(StateRequest, StateChgReq);
        $check!(StateReply, StateChgReply);
        $check!(UuidReport, Uuids);
        $check!(SyncUuid, SyncUuid);
        $check!(SizeNumbers, Sizes);
        $check!(QueueLimits, Sizes);
    };
}

/// Longest packet of fixed size, and more.
const ROOM: usize = 80;

fn version() -> impl Strategy<Value = u32> {
    PROTOCOL_MIN..=PROTOCOL_MAX
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=255u8, 0..SHARED_SECRET_MAX)
}

fn reason<T>(result: Result<T, WireError>) -> Option<WireReason> {
    result.err().map(|error| error.reason)
}

proptest! {
    #[test]
    fn what_a_fixed_packet_says_survives(bytes: [u8; ROOM]) {
        macro_rules! check {
            ($ty:ident, $command:ident) => {{
                let packet = $ty::parse(Command::$command, &bytes[..$ty::LEN]).unwrap();
                let mut out = [0xaa; ROOM];
                prop_assert_eq!(packet.emit(Command::$command, &mut out), Ok($ty::LEN));
                prop_assert_eq!($ty::parse(Command::$command, &out[..$ty::LEN]), Ok(packet));
                prop_assert!(out[$ty::LEN..].iter().all(|&byte| byte == 0xaa));
                prop_assert_eq!(packet.encoded_len(), $ty::LEN);
            }};
        }
        for_fixed_packets!(check);
    }

    #[test]
    fn protocol_settings_survive(
        numbers: [u32; 6], name in name(), version in version(), room in 0..ROOM,
    ) {
        let [protocol, after_sb_0p, after_sb_1p, after_sb_2p, flags, two_primaries] = numbers;
        let settings = ProtocolSettings {
            protocol,
            after_sb_0p,
            after_sb_1p,
            after_sb_2p,
            flags: ConnFlags(flags),
            two_primaries,
            integrity_alg: if version < 87 { &[] } else { &name },
        };
        let command = Command::Protocol;
        let mut out = [0xaa; 128];
        let got = settings.emit(command, &mut out, version);
        if version < 92 && settings.flags.has(ConnFlags::DRY_RUN) {
            prop_assert_eq!(reason(got), Some(WireReason::WrongVersion));
            return Ok(());
        }
        let len = settings.encoded_len(version);
        prop_assert_eq!(got, Ok(len));
        prop_assert_eq!(ProtocolSettings::parse(command, &out[..len], version), Ok(settings));
        prop_assert!(command.on_data_socket(version, Features::NONE).unwrap().allows(len as u32));
        for cut in 0..ProtocolSettings::FIXED_LEN {
            let got = ProtocolSettings::parse(command, &out[..cut], version);
            prop_assert_eq!(reason(got), Some(WireReason::TooShort));
        }
        for cut in ProtocolSettings::FIXED_LEN..len {
            // A name may come without its end.
            let got = ProtocolSettings::parse(command, &out[..cut], version).unwrap();
            prop_assert_eq!(got.integrity_alg, &settings.integrity_alg[..cut - 24]);
        }
        if room < len {
            let got = settings.emit(command, &mut out[..room], version);
            prop_assert_eq!(reason(got), Some(WireReason::NoRoom));
        }
    }

    #[test]
    fn resync_settings_survive(
        numbers: [u32; 5], verify in name(), csums in name(), version in version(),
    ) {
        let [resync_rate, plan_ahead, delay_target, fill_target, max_rate] = numbers;
        let params = SyncParams {
            resync_rate,
            verify_alg: if version < 88 { &[] } else { &verify },
            csums_alg: if version < 89 { &[] } else { &csums },
            controller: (version >= 95).then_some(ControllerParams {
                plan_ahead,
                delay_target,
                fill_target,
                max_rate,
            }),
        };
        let mut out = [0xaa; 160];
        let len = params.encoded_len(version);
        prop_assert_eq!(params.emit(&mut out, version), Ok(len));
        prop_assert_eq!(SyncParams::parse(&out[..len], version), Ok(params));
        let rule = SyncParams::command_in(version).on_data_socket(version, Features::NONE);
        prop_assert!(rule.unwrap().allows(len as u32));
        for cut in 0..len {
            let got = SyncParams::parse(&out[..cut], version);
            // In version 88 the name ends where the packet does.
            if version == 88 && cut > 4 {
                prop_assert_eq!(got.unwrap().verify_alg, &verify[..cut - 4]);
            } else {
                prop_assert_eq!(reason(got), Some(WireReason::TooShort));
            }
            let got = params.emit(&mut [0; 160][..cut], version);
            prop_assert_eq!(reason(got), Some(WireReason::NoRoom));
        }
    }

    #[test]
    fn size_reports_survive(mut bytes: [u8; 56], wsame: bool) {
        // Sizes that a volume can have.
        for at in [0, 8, 16] {
            bytes[at] = 0;
            bytes[at + 1] &= 7;
        }
        let features = if wsame { Features::WSAME } else { Features::NONE };
        let len = if wsame { 56 } else { 32 };
        let report = SizeReport::parse(&bytes[..len], features).unwrap();
        prop_assert_eq!(report.encoded_len(), len);
        let mut out = [0; 56];
        prop_assert_eq!(report.emit(&mut out), Ok(len));
        prop_assert_eq!(SizeReport::parse(&out[..len], features), Ok(report));
        for cut in 0..len {
            let got = SizeReport::parse(&out[..cut], features);
            prop_assert_eq!(reason(got), Some(WireReason::TooShort));
            prop_assert_eq!(reason(report.emit(&mut [0; 56][..cut])), Some(WireReason::NoRoom));
        }
    }

    #[test]
    fn compressed_bitmaps_survive(
        code in vec(any::<u8>(), 1..200), first_set: bool, pad_bits in 0..8u8, version in version(),
    ) {
        let packet = CompressedBitmap { first_set, pad_bits, code: &code };
        let mut out = [0; 256];
        let len = packet.encoded_len();
        prop_assert_eq!(packet.emit(&mut out), Ok(len));
        prop_assert_eq!(CompressedBitmap::parse(&out[..len], version), Ok(packet));
        for cut in 0..len {
            let short = packet.emit(&mut [0; 256][..cut]);
            prop_assert_eq!(reason(short), Some(WireReason::NoRoom));
            match CompressedBitmap::parse(&out[..cut], version) {
                // Where a code ends is not in the packet.
                Ok(got) => prop_assert_eq!(got.code, &code[..cut - 1]),
                Err(error) => prop_assert!(cut < 2 && error.reason == WireReason::TooShort),
            }
        }
    }

    #[test]
    fn headers_cut_short_are_refused(
        volume: u16, number: u16, length in 0..65536u32, v in version(),
    ) {
        let header = Header { volume, command: Command::from_u16(number), length };
        let mut out = [0; Header::MAX_LEN];
        let len = header.emit(&mut out, v).unwrap();
        for cut in 0..len {
            prop_assert_eq!(reason(Header::parse(&out[..cut], v)), Some(WireReason::TooShort));
            let short = header.emit(&mut [0; 16][..cut], v);
            prop_assert_eq!(reason(short), Some(WireReason::NoRoom));
        }
    }

    #[test]
    fn garbage_never_panics_and_what_parses_survives(
        bytes in vec(any::<u8>(), 0..200), version: u32, features: u32,
    ) {
        let mut out = [0; 256];
        for &command in Command::ALL {
            let _ = command.on_data_socket(version, Features(features));
            if let Ok(got) = ProtocolSettings::parse(command, &bytes, version) {
                if let Ok(len) = got.emit(command, &mut out, version) {
                    let again = ProtocolSettings::parse(command, &out[..len], version);
                    prop_assert_eq!(again, Ok(got));
                }
            }
        }
        macro_rules! check {
            ($ty:ident, $command:ident) => {
                let got = $ty::parse(Command::$command, &bytes);
                prop_assert_eq!(got.is_ok(), bytes.len() == $ty::LEN);
            };
        }
        for_fixed_packets!(check);
        if let Ok(got) = SyncParams::parse(&bytes, version) {
            let len = got.emit(&mut out, version).unwrap();
            prop_assert_eq!(SyncParams::parse(&out[..len], version), Ok(got));
        }
        if let Ok(got) = CompressedBitmap::parse(&bytes, version) {
            let len = got.emit(&mut out).unwrap();
            prop_assert_eq!(CompressedBitmap::parse(&out[..len], version), Ok(got));
        }
        let _ = SizeReport::parse(&bytes, Features(features));
        let _ = Header::parse(&bytes, version);
    }
}

#[test]
fn fixed_packets_are_refused_at_every_other_length() {
    macro_rules! check {
        ($ty:ident, $command:ident) => {
            let command = Command::$command;
            for len in 0..$ty::LEN {
                let got = $ty::parse(command, &[0; ROOM][..len]);
                assert_eq!(reason(got), Some(WireReason::TooShort));
                let got = $ty::default().emit(command, &mut [0; ROOM][..len]);
                assert_eq!(reason(got), Some(WireReason::NoRoom));
            }
            let got = $ty::parse(command, &[0; ROOM][..$ty::LEN + 1]);
            assert_eq!(reason(got), Some(WireReason::TooLong));
        };
    }
    for_fixed_packets!(check);
}

/// The length of a packet's fixed part, by its struct.
fn length_of(command: Command, features: Features) -> Option<usize> {
    Some(match command {
        Command::Data | Command::DataReply | Command::RsDataReply => DataHeader::LEN,
        Command::Trim | Command::Zeroes => TrimRequest::LEN,
        Command::Barrier => Barrier::LEN,
        Command::StateChgReq | Command::ConnStChgReq => StateRequest::LEN,
        Command::SyncUuid => SyncUuid::LEN,
        Command::DelayProbe => DelayProbe::LEN,
        Command::DataRequest | Command::RsDataRequest | Command::OvRequest => BlockRequest::LEN,
        Command::RsThinReq | Command::OvReply | Command::CsumRsRequest => BlockRequest::LEN,
        Command::Protocol | Command::ProtocolUpdate => ProtocolSettings::FIXED_LEN,
        Command::Uuids => UuidReport::LEN,
        Command::Sizes if features.has(Features::WSAME) => SizeNumbers::LEN + QueueLimits::LEN,
        Command::Sizes => SizeNumbers::LEN,
        Command::State => StateReport::LEN,
        Command::OutOfSync | Command::RsDeallocated => BlockDesc::LEN,
        _ => return None,
    })
}

#[test]
fn length_rules_of_the_data_socket_are_those_of_the_structs() {
    let without_struct = [
        Command::UnplugRemote,
        Command::Bitmap,
        Command::CompressedBitmap,
        Command::SyncParam,
        Command::SyncParam89,
    ];
    for version in PROTOCOL_MIN..=PROTOCOL_MAX {
        for features in [Features::NONE, Features::OWN] {
            for &command in Command::ALL {
                let Some(rule) = command.on_data_socket(version, features) else {
                    continue;
                };
                match length_of(command, features) {
                    Some(len) => assert_eq!(rule.fixed as usize, len, "{command:?} in {version}"),
                    None => assert!(without_struct.contains(&command), "{command:?}"),
                }
            }
        }
    }
}

#[test]
fn length_rules_of_the_meta_socket_are_those_of_the_structs() {
    for &command in Command::ALL {
        let Some(len) = command.on_meta_socket(PROTOCOL_MAX) else {
            continue;
        };
        let expected = match command {
            Command::Ping | Command::PingAck => 0,
            Command::BarrierAck => BarrierAck::LEN,
            Command::DelayProbe => DelayProbe::LEN,
            Command::StateChgReply | Command::ConnStChgReply => StateReply::LEN,
            _ => BlockAck::LEN,
        };
        assert_eq!(len as usize, expected, "{command:?}");
    }
}
