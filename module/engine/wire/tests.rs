// SPDX-License-Identifier: GPL-2.0

//! Tests of headers and packet layouts.

use super::{
    ack::*,
    bitmap::*,
    data::*,
    handshake::*,
    params::*,
    state::*,
    *, //
};
use crate::engine::state::StateBits;
use proptest::prelude::*;

/// Every version that is spoken, and the one before the handshake.
fn versions() -> impl Strategy<Value = u32> {
    prop_oneof![Just(PROTOCOL_BEFORE_HANDSHAKE), PROTOCOL_MIN..=PROTOCOL_MAX]
}

#[test]
fn header_80_is_laid_out_as_in_c() {
    let header = Header {
        volume: 0,
        command: Command::ConnectionFeatures,
        length: 72,
    };
    let mut buf = [0xffu8; 16];
    assert_eq!(header.emit(&mut buf, PROTOCOL_BEFORE_HANDSHAKE), Ok(8));
    assert_eq!(buf[..8], [0x83, 0x74, 0x02, 0x67, 0xff, 0xfe, 0, 72]);
    assert_eq!(
        Header::parse(&buf[..8], PROTOCOL_BEFORE_HANDSHAKE),
        Ok(header)
    );
}

#[test]
fn header_95_is_used_above_32_kib_only() {
    let small = Header {
        volume: 0,
        command: Command::Data,
        length: 32768,
    };
    let big = Header {
        length: 32769,
        ..small
    };
    let mut buf = [0u8; 16];
    small.emit(&mut buf, 95).unwrap();
    assert_eq!(buf[..8], [0x83, 0x74, 0x02, 0x67, 0, 0, 0x80, 0]);
    assert_eq!(Header::parse(&buf[..8], 95), Ok(small));
    big.emit(&mut buf, 99).unwrap();
    assert_eq!(buf[..8], [0x83, 0x5a, 0, 0, 0, 0, 0x80, 1]);
    assert_eq!(Header::parse(&buf[..8], 99), Ok(big));
}

#[test]
fn header_100_has_a_volume() {
    let header = Header {
        volume: 0x1234,
        command: Command::Zeroes,
        length: 28,
    };
    let mut buf = [0xffu8; 16];
    assert_eq!(header.emit(&mut buf, 100), Ok(16));
    assert_eq!(
        buf,
        [0x86, 0x20, 0xec, 0x20, 0x12, 0x34, 0, 0x36, 0, 0, 0, 28, 0, 0, 0, 0]
    );
    assert_eq!(Header::parse(&buf, 101), Ok(header));
}

#[test]
fn header_of_the_wrong_version_is_refused() {
    let header = Header {
        volume: 0,
        command: Command::Ping,
        length: 0,
    };
    let mut buf = [0u8; 16];
    header.emit(&mut buf, 101).unwrap();
    assert_eq!(
        Header::parse(&buf, 99).map_err(|e| e.reason),
        Err(WireReason::BadMagic)
    );
    header.emit(&mut buf, 94).unwrap();
    assert_eq!(
        Header::parse(&buf, 100).map_err(|e| e.reason),
        Err(WireReason::BadMagic)
    );
}

#[test]
fn header_padding_must_be_zero() {
    let mut buf = [0u8; 16];
    Header {
        volume: 0,
        command: Command::Ping,
        length: 0,
    }
    .emit(&mut buf, 100)
    .unwrap();
    buf[15] = 1;
    assert_eq!(
        Header::parse(&buf, 100).map_err(|e| e.reason),
        Err(WireReason::BadPadding)
    );
}

#[test]
fn length_above_64_kib_needs_protocol_95() {
    let header = Header {
        volume: 0,
        command: Command::Data,
        length: 65536,
    };
    let got = header.emit(&mut [0; 16], 94);
    assert_eq!(got.map_err(|e| e.reason), Err(WireReason::LengthOverflow));
}

#[test]
fn command_numbers_name_themselves() {
    for &command in Command::ALL {
        assert_eq!(Command::from_u16(command.number()), command);
    }
    assert_eq!(Command::Zeroes.number(), 0x36);
    assert_eq!(Command::ProtocolUpdate.number(), 0x2d);
    assert_eq!(Command::RsCancel.number(), 0x29);
    assert_eq!(Command::from_u16(0x2e), Command::Unknown(0x2e));
    assert_eq!(Command::Unknown(0x2e).as_str(), "Unknown");
    assert_eq!(Command::Bitmap.as_str(), "ReportBitMap");
}

#[test]
fn payload_rules_match_the_packets() {
    let all = Features::OWN;
    let rule = |c: Command, v| c.on_data_socket(v, all).unwrap();
    assert!(rule(Command::Data, 101).allows(24 + 64 + (1 << 20)));
    assert!(!rule(Command::Data, 101).allows(24 + 65 + (1 << 20)));
    assert!(!rule(Command::Data, 101).allows(23));
    assert!(rule(Command::Sizes, 101).allows(56));
    assert!(!rule(Command::Sizes, 101).allows(32));
    assert!(Command::Sizes
        .on_data_socket(101, Features::NONE)
        .unwrap()
        .allows(32));
    assert!(rule(Command::SyncParam89, 95).allows(148));
    assert!(rule(Command::SyncParam89, 94).allows(132));
    assert!(rule(Command::SyncParam, 88).allows(68));
    assert!(rule(Command::Bitmap, 100).allows(4080));
    assert!(!rule(Command::Bitmap, 100).allows(4081));
    assert!(rule(Command::CompressedBitmap, 99).allows(4088));
    assert!(!rule(Command::CompressedBitmap, 99).allows(1));
    for command in [Command::Wsame, Command::BecomeSyncSource, Command::WriteAck] {
        assert_eq!(command.on_data_socket(101, all), None);
    }
    assert_eq!(Command::Data.on_meta_socket(101), None);
    assert_eq!(Command::RetryWrite.on_meta_socket(101), Some(24));
    assert_eq!(Command::Ping.on_meta_socket(101), Some(0));
}

#[test]
fn connection_features_is_laid_out_as_in_c() {
    let mut buf = [0xffu8; 72];
    let command = Command::ConnectionFeatures;
    assert_eq!(ConnectionFeatures::OWN.emit(command, &mut buf), Ok(72));
    assert_eq!(buf[..12], [0, 0, 0, 86, 0, 0, 0, 15, 0, 0, 0, 101]);
    assert!(buf[12..].iter().all(|&b| b == 0));
    assert_eq!(
        ConnectionFeatures::parse(command, &buf),
        Ok(ConnectionFeatures::OWN)
    );
}

#[test]
fn handshake_takes_the_highest_common_version() {
    let own = ConnectionFeatures::OWN;
    let peer = |min, max, features| ConnectionFeatures {
        protocol_min: min,
        protocol_max: max,
        features: Features(features),
    };
    let agreed = |min, max| own.agree(&peer(min, max, 0xffff)).map(|a| a.version);
    assert_eq!(agreed(86, 101), Some(101));
    assert_eq!(agreed(86, 124), Some(101));
    assert_eq!(agreed(80, 96), Some(96));
    assert_eq!(agreed(86, 0), Some(86));
    assert_eq!(agreed(102, 124), None);
    assert_eq!(agreed(70, 85), None);
    assert_eq!(
        own.agree(&peer(86, 101, 0x25)).unwrap().features,
        Features(5)
    );
}

#[test]
fn challenges_are_64_to_128_bytes_long() {
    for (length, good) in [(63, false), (64, true), (128, true), (129, false)] {
        assert_eq!(check_challenge_length(length).is_ok(), good, "{length}");
    }
    assert!(check_response_length(20, 20).is_ok());
    assert!(check_response_length(19, 20).is_err());
    assert!(check_response_length(21, 20).is_err());
}

#[test]
fn data_header_is_laid_out_as_in_c() {
    let packet = DataHeader {
        sector: 0x0102_0304_0506_0708,
        block_id: 0x1112_1314_1516_1718,
        seq_num: 0x2122_2324,
        flags: DataFlags::FUA.with(DataFlags::SEND_WRITE_ACK),
    };
    let mut buf = [0u8; 24];
    assert_eq!(packet.emit(Command::Data, &mut buf), Ok(24));
    assert_eq!(buf[..12], [1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14]);
    assert_eq!(buf[16..], [0x21, 0x22, 0x23, 0x24, 0, 0, 1, 16]);
    assert_eq!(DataHeader::parse(Command::Data, &buf), Ok(packet));
}

#[test]
fn lengths_are_those_of_the_c_structs() {
    assert_eq!(DataHeader::LEN, 24);
    assert_eq!(TrimRequest::LEN, 28);
    assert_eq!(BlockRequest::LEN, 24);
    assert_eq!(BlockDesc::LEN, 16);
    assert_eq!(Barrier::LEN, 8);
    assert_eq!(BlockAck::LEN, 24);
    assert_eq!(BarrierAck::LEN, 8);
    assert_eq!(ConnectionFeatures::LEN, 72);
    assert_eq!(StateReport::LEN, 4);
    assert_eq!(StateRequest::LEN, 8);
    assert_eq!(StateReply::LEN, 4);
    assert_eq!(UuidReport::LEN, 48);
    assert_eq!(SyncUuid::LEN, 8);
    assert_eq!(SizeNumbers::LEN, 32);
    assert_eq!(QueueLimits::LEN, 24);
}

#[test]
fn fixed_packets_refuse_other_lengths() {
    let short = BlockAck::parse(Command::WriteAck, &[0; 23]);
    let error = WireError::new(Command::WriteAck, WireReason::TooShort);
    assert_eq!(short, Err(error));
    let long = BlockAck::parse(Command::WriteAck, &[0; 25]);
    assert_eq!(long.map_err(|e| e.reason), Err(WireReason::TooLong));
    let ack = BlockAck {
        sector: 0,
        block_id: ID_SYNCER,
        size: 4096,
        seq_num: 0,
    };
    let full = ack.emit(Command::WriteAck, &mut [0; 23]);
    assert_eq!(full.map_err(|e| e.reason), Err(WireReason::NoRoom));
}

#[test]
fn a_block_request_ends_with_padding() {
    // The padding is not looked at: the C code leaves old bytes there.
    let mut buf = [0xffu8; 24];
    let request = BlockRequest {
        sector: 8,
        block_id: ID_SYNCER,
        size: 4096,
    };
    request.emit(Command::RsDataRequest, &mut buf).unwrap();
    assert_eq!(buf[20..], [0; 4]);
    buf[20..].fill(0xaa);
    assert_eq!(
        BlockRequest::parse(Command::RsDataRequest, &buf),
        Ok(request)
    );
}

#[test]
fn negative_state_replies_survive() {
    let mut buf = [0u8; 4];
    StateReply { retcode: -19 }
        .emit(Command::StateChgReply, &mut buf)
        .unwrap();
    assert_eq!(buf, [0xff, 0xff, 0xff, 0xed]);
    assert_eq!(
        StateReply::parse(Command::StateChgReply, &buf)
            .unwrap()
            .retcode,
        -19
    );
}

#[test]
fn a_size_that_no_volume_has_is_refused() {
    let most = crate::engine::ids::MAX_SECTORS;
    let with = |disk_size, user_size, current_size| SizeReport {
        sizes: SizeNumbers {
            disk_size,
            user_size,
            current_size,
            ..SizeNumbers::default()
        },
        limits: None,
    };
    let parse = |report: SizeReport| {
        let mut bytes = [0; 64];
        let len = report.emit(&mut bytes).unwrap();
        SizeReport::parse(&bytes[..len], Features::NONE).map_err(|e| e.reason)
    };
    let largest = with(most, most, most);
    assert_eq!(parse(largest), Ok(largest));
    for report in [
        with(most + 1, 0, 0),
        with(0, most + 1, 0),
        with(0, 0, u64::MAX),
    ] {
        assert_eq!(parse(report), Err(WireReason::BadValue));
    }
}

#[test]
fn sizes_have_limits_if_and_only_if_wsame_is_agreed() {
    let sizes = SizeNumbers {
        disk_size: 1 << 30,
        user_size: 0,
        current_size: 1 << 29,
        max_bio_size: MAX_BIO_SIZE,
        queue_order_type: 0,
        flags: SizeFlags::FORCED,
    };
    let limits = QueueLimits {
        physical_block_size: 4096,
        logical_block_size: 512,
        alignment_offset: 0,
        io_min: 4096,
        io_opt: 0,
        discard_enabled: 1,
        discard_zeroes_data: 0,
        write_same_capable: 0,
    };
    let with = SizeReport {
        sizes,
        limits: Some(limits),
    };
    let mut buf = [0u8; 56];
    assert_eq!(with.emit(&mut buf), Ok(56));
    assert_eq!(buf[52..], [1, 0, 0, 0]);
    assert_eq!(SizeReport::parse(&buf, Features::WSAME), Ok(with));
    assert!(SizeReport::parse(&buf, Features::NONE).is_err());
    assert!(SizeReport::parse(&buf[..32], Features::WSAME).is_err());
    let without = SizeReport {
        sizes,
        limits: None,
    };
    assert_eq!(SizeReport::parse(&buf[..32], Features::NONE), Ok(without));
    assert!(with.emit(&mut buf[..40]).is_err());
}

fn settings(integrity_alg: &[u8]) -> ProtocolSettings<'_> {
    ProtocolSettings {
        protocol: 3,
        after_sb_0p: 0,
        after_sb_1p: 8,
        after_sb_2p: 9,
        flags: ConnFlags::DISCARD_MY_DATA,
        two_primaries: 1,
        integrity_alg,
    }
}

#[test]
fn protocol_names_the_digest_from_version_87_on() {
    let mut buf = [0xffu8; 128];
    let packet = settings(b"crc32c");
    let command = Command::Protocol;
    assert_eq!(packet.emit(command, &mut buf, 101), Ok(31));
    assert_eq!(buf[24..31], *b"crc32c\0");
    assert_eq!(
        ProtocolSettings::parse(command, &buf[..31], 101),
        Ok(packet)
    );
    let old = settings(b"");
    assert_eq!(old.emit(command, &mut buf, 86), Ok(24));
    assert_eq!(ProtocolSettings::parse(command, &buf[..24], 86), Ok(old));
    assert!(ProtocolSettings::parse(command, &buf[..25], 86).is_err());
}

#[test]
fn protocol_refuses_bad_names() {
    let mut buf = [0u8; 256];
    let command = Command::ProtocolUpdate;
    assert!(settings(&[b'x'; 63]).emit(command, &mut buf, 101).is_ok());
    assert!(settings(&[b'x'; 64]).emit(command, &mut buf, 101).is_err());
    assert!(settings(b"a\0b").emit(command, &mut buf, 101).is_err());
    buf[24..88].fill(b'x');
    let got = ProtocolSettings::parse(command, &buf[..88], 101);
    assert_eq!(got.map_err(|e| e.reason), Err(WireReason::BadText));
    assert!(ProtocolSettings::parse(command, &buf[..89], 101).is_err());
}

#[test]
fn a_dry_run_needs_version_92() {
    let packet = ProtocolSettings {
        flags: ConnFlags::DRY_RUN,
        ..settings(b"")
    };
    let got = packet.emit(Command::Protocol, &mut [0; 64], 91);
    assert_eq!(got.map_err(|e| e.reason), Err(WireReason::WrongVersion));
    assert!(packet.emit(Command::Protocol, &mut [0; 64], 92).is_ok());
}

#[test]
fn sync_params_grow_with_the_version() {
    let controller = ControllerParams {
        plan_ahead: 20,
        delay_target: 10,
        fill_target: 100,
        max_rate: 102400,
    };
    let full = SyncParams {
        resync_rate: 250,
        verify_alg: b"sha1",
        csums_alg: b"md5",
        controller: Some(controller),
    };
    let mut buf = [0xffu8; 160];
    let mut check = |version, len, want: SyncParams<'_>| {
        assert_eq!(full.emit(&mut buf, version), Ok(len));
        assert_eq!(full.encoded_len(version), len);
        assert_eq!(SyncParams::parse(&buf[..len], version), Ok(want));
        assert!(SyncParams::parse(&buf[..len - 1], version).is_err() || version == 88);
    };
    let rate = SyncParams {
        verify_alg: b"",
        csums_alg: b"",
        controller: None,
        ..full
    };
    check(87, 4, rate);
    check(
        88,
        9,
        SyncParams {
            verify_alg: b"sha1",
            ..rate
        },
    );
    check(
        89,
        132,
        SyncParams {
            controller: None,
            ..full
        },
    );
    check(
        94,
        132,
        SyncParams {
            controller: None,
            ..full
        },
    );
    check(95, 148, full);
    check(101, 148, full);
    assert_eq!(SyncParams::command_in(88), Command::SyncParam);
    assert_eq!(SyncParams::command_in(89), Command::SyncParam89);
    assert!(SyncParams::parse(&[0; 4], 88).is_err());
}

#[test]
fn compressed_bitmap_byte_is_laid_out_as_in_c() {
    let packet = CompressedBitmap {
        first_set: true,
        pad_bits: 5,
        code: &[1, 2, 3],
    };
    let mut buf = [0u8; 4];
    assert_eq!(packet.emit(&mut buf), Ok(4));
    assert_eq!(buf, [0xd2, 1, 2, 3]);
    assert_eq!(CompressedBitmap::parse(&buf, 101), Ok(packet));
    assert!(packet.emit(&mut buf[..3]).is_err());
    buf[0] = 0xd1;
    let got = CompressedBitmap::parse(&buf, 101);
    assert_eq!(got.map_err(|e| e.reason), Err(WireReason::BadEncoding));
    assert!(CompressedBitmap::parse(&[2], 101).is_err());
    assert!(CompressedBitmap::parse(&[2; 4081], 101).is_err());
    assert!(CompressedBitmap::parse(&[2; 4081], 99).is_ok());
}

proptest! {
    #[test]
    fn headers_round_trip(volume: u16, number: u16, length: u32, version in versions()) {
        let volume = if version >= 100 { volume } else { 0 };
        let header = Header { volume, command: Command::from_u16(number), length };
        let mut buf = [0u8; 16];
        match header.emit(&mut buf, version) {
            Ok(len) => {
                prop_assert_eq!(len, Header::encoded_len(version));
                prop_assert_eq!(Header::parse(&buf[..len], version), Ok(header));
                prop_assert!(Header::parse(&buf[..len - 1], version).is_err());
            }
            Err(e) => {
                prop_assert_eq!(e.reason, WireReason::LengthOverflow);
                prop_assert!(length > 65535 && version < 95);
            }
        }
    }

    #[test]
    fn headers_that_parse_are_in_range(bytes: [u8; 16], magic in 0..3usize, version in versions()) {
        let mut bytes = bytes;
        let head: [&[u8]; 3] = [&[0x83, 0x74, 2, 0x67], &[0x83, 0x5a], &[0x86, 0x20, 0xec, 0x20]];
        bytes[..head[magic].len()].copy_from_slice(head[magic]);
        if let Ok(header) = Header::parse(&bytes, version) {
            prop_assert!(version >= 100 || header.volume == 0);
        }
    }

    #[test]
    fn fixed_packets_round_trip(bytes: [u8; 80]) {
        macro_rules! check {
            ($ty:ident, $command:ident) => {{
                let packet = $ty::parse(Command::$command, &bytes[..$ty::LEN]).unwrap();
                let mut out = [0u8; 80];
                prop_assert_eq!(packet.emit(Command::$command, &mut out), Ok($ty::LEN));
                prop_assert_eq!($ty::parse(Command::$command, &out[..$ty::LEN]), Ok(packet));
            }};
        }
        check!(DataHeader, Data);
        check!(TrimRequest, Trim);
        check!(BlockRequest, DataRequest);
        check!(BlockDesc, OutOfSync);
        check!(Barrier, Barrier);
        check!(BlockAck, WriteAck);
        check!(BarrierAck, BarrierAck);
        check!(StateReport, State);
        check!(StateRequest, StateChgReq);
        check!(UuidReport, Uuids);
        check!(SizeNumbers, Sizes);
        check!(QueueLimits, Sizes);
        check!(ConnectionFeatures, ConnectionFeatures);
    }

    #[test]
    fn texts_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        version in versions(),
    ) {
        let _ = SyncParams::parse(&bytes, version);
        let _ = CompressedBitmap::parse(&bytes, version);
        if let Ok(p) = ProtocolSettings::parse(Command::Protocol, &bytes, version) {
            prop_assert!(p.integrity_alg.len() < SHARED_SECRET_MAX);
        }
    }

    #[test]
    fn state_reports_keep_their_bits(bits: u32) {
        let mut buf = [0u8; 4];
        StateReport { state: StateBits(bits) }.emit(Command::State, &mut buf).unwrap();
        prop_assert_eq!(buf, bits.to_be_bytes());
    }
}

#[test]
fn blocks_come_behind_their_digest() {
    let blocks = |follow| blocks_behind_digest(Command::Data, follow, 32);
    assert_eq!(blocks(4096 + 32), Ok(4096));
    assert_eq!(blocks(32), Ok(0));
    assert!(blocks(31).is_err());
    assert_eq!(blocks_behind_digest(Command::Data, 512, 0), Ok(512));
}
