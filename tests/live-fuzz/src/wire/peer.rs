// SPDX-License-Identifier: GPL-2.0

//! An honest peer: what it says by itself in a handshake, and what it answers. A session's packets
//! come from here, and are changed on their way out.

use fastrand::Rng;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tandem_engine::{
    options::NetOptions,
    wire::{
        handshake::{Agreement, ConnectionFeatures, Features, CHALLENGE_LEN},
        params::{ControllerParams, ProtocolSettings, SyncParams},
        Command, PROTOCOL_BEFORE_HANDSHAKE, PROTOCOL_MAX, PROTOCOL_MIN,
    },
};

use super::{
    packet::{payload, Incoming, Packet},
    volume::Volume,
};

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The module's versions and features are awaited.
    Features,
    /// Its challenge.
    Challenge,
    /// Its answer to ours.
    Response,
    /// Its introduction.
    Introduction,
    /// Nothing: both have introduced themselves.
    Up,
}

/// The peer of one session.
pub(crate) struct Peer {
    pub(crate) rng: Rng,
    /// The options of the module's side; the peer's own are the same.
    pub(crate) net: NetOptions,
    /// What was agreed.
    pub(crate) agreed: Agreement,
    offer: ConnectionFeatures,
    pub(crate) stage: Stage,
    pub(crate) volumes: Vec<Volume>,
    /// Digests come before blocks.
    pub(crate) integrity: bool,
    /// Sequence number of the last packet that has one.
    pub(crate) sequence: u32,
    /// Number of the last barrier sent.
    pub(crate) barrier: u32,
    /// Writes of the module since its last barrier.
    pub(crate) writes: u32,
}

impl Peer {
    /// A peer of a resource with so many volumes.
    pub(crate) fn new(mut rng: Rng, net: NetOptions, volumes: u16) -> Self {
        let old = rng.u32(..6) == 0;
        let offer = ConnectionFeatures {
            protocol_min: PROTOCOL_MIN,
            features: Features(if rng.u32(..4) == 0 { rng.u32(..16) } else { 15 }),
            protocol_max: match old {
                true => rng.u32(PROTOCOL_MIN..=PROTOCOL_MAX),
                false => PROTOCOL_MAX,
            },
        };
        Self {
            volumes: (0..volumes)
                .map(|number| Volume::new(number, &mut rng))
                .collect(),
            rng,
            integrity: false,
            net,
            agreed: Agreement {
                version: PROTOCOL_BEFORE_HANDSHAKE,
                features: Features::NONE,
            },
            offer,
            stage: Stage::Features,
            sequence: 0,
            barrier: 0,
            writes: 0,
        }
    }

    /// Versions and features, sent before anything else.
    pub(crate) fn offer(&self) -> Packet {
        let command = Command::ConnectionFeatures;
        Packet::data(0, command, payload(|out| self.offer.emit(command, out)))
    }

    /// The volume with this number, if there is one.
    pub(crate) fn volume(&mut self, number: u16) -> Option<&mut Volume> {
        self.volumes
            .iter_mut()
            .find(|volume| volume.number == number)
    }

    /// Takes a packet of the module; returns what is answered.
    pub(crate) fn take(&mut self, came: &Incoming) -> Vec<Packet> {
        match (self.stage, came.command) {
            (Stage::Features, Command::ConnectionFeatures) => self.features(&came.payload),
            (Stage::Challenge, Command::AuthChallenge) => {
                self.stage = Stage::Response;
                let answer = self.hmac(&came.payload);
                vec![Packet::data(0, Command::AuthResponse, answer)]
            }
            (Stage::Response, Command::AuthResponse) => {
                self.stage = Stage::Introduction;
                Vec::new()
            }
            (Stage::Introduction | Stage::Up, _) => self.session_packet(came),
            _ => Vec::new(),
        }
    }

    fn features(&mut self, bytes: &[u8]) -> Vec<Packet> {
        let theirs = ConnectionFeatures::parse(Command::ConnectionFeatures, bytes);
        let Some(agreed) = theirs.ok().and_then(|theirs| self.offer.agree(&theirs)) else {
            return Vec::new();
        };
        self.agreed = agreed;
        if self.net.cram_hmac_alg.is_empty() {
            self.stage = Stage::Introduction;
            return Vec::new();
        }
        self.stage = Stage::Challenge;
        let challenge = (0..CHALLENGE_LEN).map(|_| self.rng.u8(..)).collect();
        vec![Packet::data(0, Command::AuthChallenge, challenge)]
    }

    fn hmac(&self, challenge: &[u8]) -> Vec<u8> {
        match Hmac::<Sha256>::new_from_slice(self.net.shared_secret.as_bytes()) {
            Ok(mut hmac) => {
                hmac.update(challenge);
                hmac.finalize().into_bytes().to_vec()
            }
            Err(_) => Vec::new(),
        }
    }

    fn session_packet(&mut self, came: &Incoming) -> Vec<Packet> {
        let mut answers = self.react(came);
        let all = self.volumes.iter().all(Volume::is_introduced);
        if self.stage == Stage::Introduction && all {
            self.stage = Stage::Up;
            let mut introduction = self.introduction();
            introduction.append(&mut answers);
            return introduction;
        }
        answers
    }

    /// Settings, and sizes, generations and state of each volume.
    fn introduction(&mut self) -> Vec<Packet> {
        let mut packets = vec![self.settings(Command::Protocol)];
        for at in 0..self.volumes.len() {
            let number = self.volumes[at].number;
            packets.push(self.sync_params(number));
            packets.push(self.volumes[at].size_packet(self.agreed.features));
            packets.extend(self.volumes[at].uuid_packet(&mut self.rng));
            packets.push(self.volumes[at].state_packet());
        }
        packets
    }

    /// The settings of the connection.
    pub(crate) fn settings(&self, command: Command) -> Packet {
        let version = self.agreed.version;
        let settings = ProtocolSettings::of(&self.net);
        Packet::data(
            0,
            command,
            payload(|out| settings.emit(command, out, version)),
        )
    }

    /// The settings of a resync.
    pub(crate) fn sync_params(&mut self, volume: u16) -> Packet {
        let version = self.agreed.version;
        let params = SyncParams {
            resync_rate: 512 << 10,
            verify_alg: self.net.verify_alg.as_bytes(),
            csums_alg: self.net.csums_alg.as_bytes(),
            controller: Some(ControllerParams {
                plan_ahead: if self.rng.u32(..4) == 0 { 20 } else { 0 },
                delay_target: 1,
                fill_target: 100,
                max_rate: 512 << 10,
            }),
        };
        let command = SyncParams::command_in(version);
        Packet::data(volume, command, payload(|out| params.emit(out, version)))
    }

    /// The digest that comes before blocks, if there is one.
    pub(crate) fn digest(&self, blocks: &[u8]) -> Vec<u8> {
        match self.integrity {
            true => crc32c::crc32c(blocks).to_le_bytes().to_vec(),
            false => Vec::new(),
        }
    }
}
