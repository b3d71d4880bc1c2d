// SPDX-License-Identifier: GPL-2.0

//! A stream of packets of the peer, as the two receivers of a connection take it apart.
//!
//! Input: one byte version, one byte features, one byte socket, then the stream.

use tandem_engine::login::Login;
use tandem_engine::wire::{
    ack::{BarrierAck, BlockAck},
    bitmap::{max_payload, CompressedBitmap},
    data::{Barrier, BlockDesc, BlockRequest, DataHeader, DelayProbe, TrimRequest},
    handshake::{ConnectionFeatures, Features, CHALLENGE_LEN, CHALLENGE_MAX_LEN},
    params::{ProtocolSettings, SyncParams},
    state::{SizeReport, StateReply, StateReport, StateRequest, SyncUuid, UuidReport},
    Command, Header, MAX_BIO_SIZE, MAX_DIGEST_SIZE, PROTOCOL_BEFORE_HANDSHAKE, PROTOCOL_MAX,
    PROTOCOL_MIN,
};

use crate::{input::Input, Target};

pub(crate) const TARGET: Target = Target {
    name: "packets",
    run,
    seeds,
};

/// What we send in a login, and the answer that is right.
const OUR_CHALLENGE: [u8; CHALLENGE_LEN] = [7; CHALLENGE_LEN];
const ANSWER: [u8; 20] = [9; 20];

const META: u8 = 1;
const HANDSHAKE: u8 = 2;

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let version = PROTOCOL_MIN + u32::from(input.u8()) % (PROTOCOL_MAX - PROTOCOL_MIN + 1);
    let features = Features(u32::from(input.u8()));
    match input.u8() % 3 {
        META => meta(input, version),
        HANDSHAKE => handshake(input),
        _ => data(input, version, features),
    }
}

/// The next header, written and read again.
fn header(input: &mut Input<'_>, version: u32) -> Option<Header> {
    let bytes = input.take(Header::encoded_len(version));
    let header = Header::parse(bytes, version).ok()?;
    let mut out = [0; Header::MAX_LEN];
    let len = header.emit(&mut out, version);
    // A header 95 may carry a length that a header 80 has to.
    if let Ok(len) = len {
        assert_eq!(Header::parse(&out[..len], version), Ok(header));
    }
    Some(header)
}

/// Checks that a packet is written as it was read; padding is written as zeroes.
macro_rules! survives {
    ($ty:ident, $command:expr, $bytes:expr) => {
        if let Ok(packet) = $ty::parse($command, $bytes) {
            let mut out = [0; $ty::LEN];
            assert_eq!(packet.emit($command, &mut out), Ok($ty::LEN));
            assert_eq!($ty::parse($command, &out), Ok(packet));
        }
    };
}

fn data(mut input: Input<'_>, version: u32, features: Features) {
    while let Some(header) = header(&mut input, version) {
        let Some(rule) = header.command.on_data_socket(version, features) else {
            return;
        };
        if !rule.allows(header.length) {
            return;
        }
        assert!(header.length <= 28 + MAX_DIGEST_SIZE + MAX_BIO_SIZE);
        let payload = input.take(header.length as usize);
        let fixed = payload.get(..rule.fixed as usize).unwrap_or(payload);
        data_packet(header.command, payload, fixed, version, features);
    }
}

fn data_packet(c: Command, payload: &[u8], fixed: &[u8], version: u32, features: Features) {
    let mut out = [0; 4096];
    match c {
        Command::Data | Command::DataReply | Command::RsDataReply => {
            survives!(DataHeader, c, fixed)
        }
        Command::Trim | Command::Zeroes => survives!(TrimRequest, c, fixed),
        Command::Barrier => survives!(Barrier, c, fixed),
        Command::StateChgReq | Command::ConnStChgReq => survives!(StateRequest, c, fixed),
        Command::SyncUuid => survives!(SyncUuid, c, fixed),
        Command::DelayProbe => survives!(DelayProbe, c, fixed),
        Command::State => survives!(StateReport, c, fixed),
        Command::Uuids => survives!(UuidReport, c, fixed),
        Command::OutOfSync | Command::RsDeallocated => survives!(BlockDesc, c, fixed),
        Command::Protocol | Command::ProtocolUpdate => {
            if let Ok(packet) = ProtocolSettings::parse(c, payload, version) {
                if let Ok(len) = packet.emit(c, &mut out, version) {
                    assert_eq!(len, packet.encoded_len(version));
                    assert_eq!(ProtocolSettings::parse(c, &out[..len], version), Ok(packet));
                }
            }
        }
        Command::SyncParam | Command::SyncParam89 => {
            if let Ok(packet) = SyncParams::parse(payload, version) {
                let len = packet.emit(&mut out, version).expect("it was parsed");
                assert_eq!(len, packet.encoded_len(version));
                assert_eq!(SyncParams::parse(&out[..len], version), Ok(packet));
            }
        }
        Command::Sizes => {
            if let Ok(packet) = SizeReport::parse(payload, features) {
                let len = packet.emit(&mut out).expect("it was parsed");
                assert_eq!(SizeReport::parse(&out[..len], features), Ok(packet));
            }
        }
        Command::CompressedBitmap => {
            if let Ok(packet) = CompressedBitmap::parse(payload, version) {
                let len = packet.emit(&mut out).expect("it was parsed");
                assert!(len <= max_payload(version));
                assert_eq!(CompressedBitmap::parse(&out[..len], version), Ok(packet));
            }
        }
        Command::Bitmap | Command::UnplugRemote => {}
        _ => survives!(BlockRequest, c, fixed),
    }
}

fn meta(mut input: Input<'_>, version: u32) {
    while let Some(header) = header(&mut input, version) {
        let c = header.command;
        if c.on_meta_socket(version) != Some(header.length) {
            return;
        }
        let payload = input.take(header.length as usize);
        match c {
            Command::Ping | Command::PingAck => {}
            Command::BarrierAck => survives!(BarrierAck, c, payload),
            Command::DelayProbe => survives!(DelayProbe, c, payload),
            Command::StateChgReply | Command::ConnStChgReply => survives!(StateReply, c, payload),
            _ => survives!(BlockAck, c, payload),
        }
    }
}

/// What comes before a version is agreed, and the login.
fn handshake(mut input: Input<'_>) {
    let mut challenged = None;
    while let Some(header) = header(&mut input, PROTOCOL_BEFORE_HANDSHAKE) {
        let c = header.command;
        match c {
            Command::ConnectionFeatures => {
                let payload = input.take(header.length as usize);
                survives!(ConnectionFeatures, c, payload);
                if let Ok(theirs) = ConnectionFeatures::parse(c, payload) {
                    if let Some(agreed) = ConnectionFeatures::OWN.agree(&theirs) {
                        assert!((PROTOCOL_MIN..=PROTOCOL_MAX).contains(&agreed.version));
                        assert!(Features::OWN.has(agreed.features));
                    }
                }
            }
            Command::AuthChallenge => {
                let login = Login::new(OUR_CHALLENGE, ANSWER.len() as u32);
                let Ok(len) = login.challenge_len(header) else {
                    return;
                };
                assert!((CHALLENGE_LEN..=CHALLENGE_MAX_LEN).contains(&len));
                let theirs = input.take(len);
                let reflected = theirs.starts_with(&OUR_CHALLENGE);
                challenged = login.challenged(theirs).ok();
                assert_eq!(challenged.is_none(), reflected);
            }
            Command::AuthResponse => {
                let Some(challenged) = challenged.take() else {
                    return;
                };
                let Ok(len) = challenged.response_len(header) else {
                    return;
                };
                let answer = input.take(len);
                assert_eq!(
                    challenged.answered(&ANSWER, answer).is_ok(),
                    answer == ANSWER
                );
            }
            _ => return,
        }
    }
}

/// One packet of every command and kind of header.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for version in [86, 88, 94, 95, 99, 100, 101] {
        for socket in [0, META] {
            let features = if version < 100 {
                Features::NONE
            } else {
                Features::OWN
            };
            let start = vec![(version - PROTOCOL_MIN) as u8, features.0 as u8, socket];
            let mut stream = start.clone();
            for &command in Command::ALL {
                let length = match socket {
                    META => command.on_meta_socket(version),
                    _ => command
                        .on_data_socket(version, features)
                        .map(|rule| rule.fixed),
                };
                let Some(length) = length else {
                    continue;
                };
                let header = Header {
                    volume: 0,
                    command,
                    length,
                };
                let mut out = [0; Header::MAX_LEN];
                let len = header.emit(&mut out, version).expect("a short length");
                stream.extend(&out[..len]);
                stream.extend((0..length).map(|at| at as u8));
            }
            seeds.push(stream);
        }
    }
    seeds.push(handshake_seed());
    seeds
}

/// Versions and features, a challenge, and the right answer.
fn handshake_seed() -> Vec<u8> {
    let mut features = [0; ConnectionFeatures::LEN];
    let own = ConnectionFeatures::OWN;
    own.emit(Command::ConnectionFeatures, &mut features)
        .expect("room");
    let mut seed = vec![0, 0, HANDSHAKE];
    for (command, payload) in [
        (Command::ConnectionFeatures, &features[..]),
        (Command::AuthChallenge, &[8; CHALLENGE_LEN]),
        (Command::AuthResponse, &ANSWER),
    ] {
        let header = Header {
            volume: 0,
            command,
            length: payload.len() as u32,
        };
        let mut out = [0; Header::MAX_LEN];
        let len = header
            .emit(&mut out, PROTOCOL_BEFORE_HANDSHAKE)
            .expect("room");
        seed.extend(&out[..len]);
        seed.extend(payload);
    }
    seed
}
