// SPDX-License-Identifier: GPL-2.0

//! The connection comes up and goes down.

use crate::engine::login::LoginError;
use crate::engine::options::{
    AfterSplitBrain0,
    AfterSplitBrain1,
    AfterSplitBrain2,
    NetOptions,
    WireProtocol, //
};
use crate::engine::state::{
    ConnState,
    DiskState,
    Role, //
};
use crate::engine::wire::handshake::{
    ConnectionFeatures,
    Features, //
};
use crate::engine::wire::params::ConnFlags;
use crate::engine::wire::{
    Command,
    PROTOCOL_BEFORE_HANDSHAKE, //
};

use super::effect::{
    Effect,
    Loss,
    Outgoing, //
};
use super::ending::Why;
use super::notice::Notice;
use super::peer_params::PeerProtocol;
use super::Step;

/// The protocol version that first can tell a peer of `--tentative`.
const DRY_RUN_SINCE: u32 = 92;

/// A policy that names a node has to be the opposite one on the other node.
fn opposite(policy: u32) -> u32 {
    match policy {
        5 => 6,
        6 => 5,
        other => other,
    }
}

impl Step<'_> {
    /// The connection's own state changes; volumes that have no state of their own above it
    /// follow.
    pub(super) fn set_conn(&mut self, new: ConnState) {
        let old = self.resource.conn;
        if old == new {
            return;
        }
        self.resource.conn = new;
        for volume in 0..self.volumes.len() {
            let mut wanted = self.state(volume);
            wanted.conn = new;
            self.force(volume, wanted);
        }
        self.push(Effect::ConnectionChanged { old, new });
    }

    /// The receiver looks for the peer.
    pub(super) fn connecting(&mut self) {
        if self.resource.conn == ConnState::Unconnected {
            self.resource.agreed.version = PROTOCOL_BEFORE_HANDSHAKE;
            self.resource.agreed.features = Features::NONE;
            self.set_conn(ConnState::WfConnection);
        }
    }

    /// Both sides' versions are known.
    pub(super) fn features(&mut self, peer: ConnectionFeatures) {
        match ConnectionFeatures::OWN.agree(&peer) {
            Some(agreed) => {
                self.resource.agreed = agreed;
                self.tell(
                    None,
                    Notice::Agreed {
                        version: agreed.version,
                        features: agreed.features.0,
                    },
                );
                let many = self.volumes.iter().any(|volume| volume.number != 0);
                if many && agreed.version < 100 {
                    // Its packets do not say which volume they are about.
                    let version = agreed.version;
                    self.tell(None, Notice::OnlyVolumeZero { version });
                    self.leave(Why::Lost(Loss::ProtocolError));
                }
            }
            None => {
                self.tell(
                    None,
                    Notice::VersionMismatch {
                        min: peer.protocol_min,
                        max: peer.highest(),
                    },
                );
                // Another version will not come by itself.
                self.leave(Why::Lost(Loss::ProtocolError));
            }
        }
    }

    /// The login ended. Who knows no secret, or sends our own challenge back, will not do better
    /// the next time.
    pub(super) fn login(&mut self, outcome: Result<u32, LoginError>) {
        match outcome {
            Ok(bytes) => self.tell(None, Notice::LoggedIn { bytes }),
            Err(error) if error.is_final() => self.leave(Why::Login(error)),
            Err(_) => {}
        }
    }

    /// Tells the peer everything that it has to know. Its own reports are awaited.
    pub(super) fn handshaken(&mut self, resolver: bool) {
        self.resource.resolver = resolver;
        self.resource.connections = self.resource.connections.wrapping_add(1);
        self.resource.backoff.begin(self.env.now);
        if self.resource.conn != ConnState::WfConnection {
            self.push(Effect::CloseNetwork { gently: false });
            return;
        }
        self.resource.peer_asks_only = false;
        let tentative = self.resource.net.as_ref().is_some_and(|net| net.tentative);
        if tentative && self.resource.agreed.version < DRY_RUN_SINCE {
            let version = DRY_RUN_SINCE;
            self.tell(None, Notice::NeedsProtocol { version });
            return self.leave(Why::Lost(Loss::ProtocolError));
        }
        self.push(Effect::Send {
            volume: 0,
            packet: Outgoing::Protocol,
        });
        for volume in 0..self.volumes.len() {
            self.introduce(volume);
        }
        self.set_conn(ConnState::WfReportParams);
    }

    /// Tells the peer of one volume, at the start of a connection, or when the peer or we got the
    /// volume later.
    pub(super) fn introduce(&mut self, volume: usize) {
        self.resource.state_sent = true;
        if let Some(record) = self.volumes.get_mut(volume) {
            record.peer_uuids = None;
            record.peer_size = 0;
            record.consider_resync = false;
            record.tells_end = false;
            record.bitmap_received = false;
            record.absent = false;
            record.resize_pending = false;
            record.early_sync_uuid = None;
        }
        self.part_from_peer(volume);
        self.send(volume, Outgoing::SyncParams);
        self.send_sizes(volume, false, Default::default());
        self.send_uuids(volume, Default::default());
        self.send_state(volume);
    }

    /// I/O was frozen before a generation of its own was started. What was done before, and what
    /// is going to be, the peer may lack: with protocols A and B it may never have got it, and by a
    /// crash it may have lost it. A generation makes sure that it gets what is marked. (Where both
    /// are Primary, both would; there, what is done is on both disks, and who crashed knows it.)
    fn part_from_peer(&mut self, volume: usize) {
        if self.volumes.get(volume).is_some_and(|v| v.bits != 0) {
            self.start_owed_generation(volume);
        }
    }

    /// Starts the generation that was not started as I/O was frozen; whether there was one.
    pub(super) fn start_owed_generation(&mut self, volume: usize) -> bool {
        let net = self.resource.net.as_ref();
        let both = net.is_some_and(|net| net.allow_two_primaries);
        let Some(record) = self.volumes.get_mut(volume).filter(|_| !both) else {
            return false;
        };
        let good = record.state.disk == DiskState::UpToDate;
        let due = record.owes_generation && good && record.shares_generation();
        if due {
            record.owes_generation = false;
            let random = self.random();
            self.new_generation(volume, random);
            self.save(volume);
        }
        due
    }

    /// Both nodes have to be configured alike where their behaviours meet.
    pub(super) fn peer_protocol(&mut self, peer: PeerProtocol) {
        let Some(net) = &self.resource.net else {
            return;
        };
        self.resource.peer_asks_only = peer.flags.has(ConnFlags::DRY_RUN);
        let gives_up = peer.flags.has(ConnFlags::DISCARD_MY_DATA);
        let [no_primary, one_primary, two_primaries] = peer.after_split_brain.map(opposite);
        let wrong = if peer.protocol != net.protocol as u32 {
            "protocol"
        } else if no_primary != net.after_sb_0pri as u32 {
            "after-sb-0pri"
        } else if one_primary != net.after_sb_1pri as u32 {
            "after-sb-1pri"
        } else if two_primaries != net.after_sb_2pri as u32 {
            "after-sb-2pri"
        } else if gives_up && net.discard_my_data {
            "discard-my-data"
        } else if (peer.two_primaries != 0) != net.allow_two_primaries {
            "allow-two-primaries"
        } else if peer.integrity_alg != net.data_integrity_alg {
            "data-integrity-alg"
        } else {
            return;
        };
        self.tell(None, Notice::Incompatible(wrong));
        self.leave(Why::Lost(Loss::ProtocolError));
    }

    /// The peer's settings changed while connected. Ours follow, so that both still fit together
    /// at the next connection.
    pub(super) fn peer_protocol_update(&mut self, peer: PeerProtocol) {
        let Some(net) = &mut self.resource.net else {
            return;
        };
        let [no_primary, one_primary, two_primaries] = peer.after_split_brain.map(opposite);
        let read = (
            WireProtocol::from_number(peer.protocol),
            AfterSplitBrain0::from_number(no_primary),
            AfterSplitBrain1::from_number(one_primary),
            AfterSplitBrain2::from_number(two_primaries),
        );
        let (Some(protocol), Some(after_0), Some(after_1), Some(after_2)) = read else {
            return self.refuse(Command::ProtocolUpdate, "an option without meaning");
        };
        net.protocol = protocol;
        net.after_sb_0pri = after_0;
        net.after_sb_1pri = after_1;
        net.after_sb_2pri = after_2;
        net.allow_two_primaries = peer.two_primaries != 0;
        net.data_integrity_alg = peer.integrity_alg;
        self.push(Effect::TuneNetwork);
        self.set_policies();
    }

    /// Whether these options differ from those in force where both nodes have to be alike, and the
    /// peer that is connected cannot be told.
    pub(super) fn peer_cannot_follow(&self, new: &NetOptions) -> bool {
        let connected = self.resource.conn == ConnState::WfReportParams;
        connected
            && self.resource.agreed.version < 100
            && self.resource.net.as_ref().is_some_and(|old| {
                new.protocol != old.protocol
                    || new.allow_two_primaries != old.allow_two_primaries
                    || new.data_integrity_alg != old.data_integrity_alg
            })
    }

    /// The options changed: a peer that is connected has to know those that both share.
    pub(super) fn tell_options(&mut self) {
        let connected = self.resource.conn == ConnState::WfReportParams;
        if !connected {
            return;
        }
        if self.resource.agreed.version >= 100 {
            self.push(Effect::Send {
                volume: 0,
                packet: Outgoing::ProtocolUpdate,
            });
        }
        for volume in 0..self.volumes.len() {
            self.send(volume, Outgoing::SyncParams);
        }
    }

    /// Gives the connection up; the receiver comes down and reports back.
    pub(super) fn trouble(&mut self, loss: Loss) {
        let conn = self.resource.conn;
        if conn >= ConnState::WfConnection {
            self.note_ending(Why::Lost(loss));
            self.set_conn(loss.state());
            // A peer that was let go has to read that before it finds the link broken.
            let gently = loss == Loss::TearDown;
            self.push(Effect::CloseNetwork { gently });
        }
    }

    /// The peer sent something that makes no sense: the connection begins anew.
    pub(super) fn refuse(&mut self, command: Command, why: &'static str) {
        self.tell(None, Notice::BadPacket { command, why });
        self.trouble(Loss::ProtocolError);
    }

    /// Leaves the peer for good: the connection becomes StandAlone. `why`, unless this event found
    /// something that says more.
    pub(super) fn leave(&mut self, why: Why) {
        if self.resource.conn >= ConnState::Unconnected {
            self.note_ending(why);
            // What was found in the reports the peer finds there, too. Before it has read them, it
            // would take this for a broken link, and look for us again.
            let gently = self.resource.conn == ConnState::WfReportParams && why != Why::Command;
            self.set_conn(ConnState::Disconnecting);
            self.push(Effect::CloseNetwork { gently });
        }
    }

    /// Nothing is sent or received any more.
    pub(super) fn disconnected(&mut self, loss: Loss) {
        self.resource.state_sent = false;
        self.resource.late_replies = 0;
        let orderly = loss == Loss::TearDown || self.resource.conn == ConnState::TearDown;
        if self.resource.conn >= ConnState::WfReportParams {
            self.note_ending(Why::Lost(loss));
            self.set_conn(loss.state());
        }
        for volume in 0..self.volumes.len() {
            self.push(Effect::LoseConnection { volume });
            self.push(Effect::StopResync { volume });
            self.push(Effect::SaveBitmap { volume });
            if let Some(record) = self.volumes.get_mut(volume) {
                record.peer_uuids = None;
                record.peer_size = 0;
                record.absent = false;
            }
        }
        for volume in 0..self.volumes.len() {
            self.set_policy(volume, false);
        }
        self.fence_lost_peer();
        self.peer_is_gone();
        // A command that waited for the peer may want to leave only now.
        if self.resource.conn == ConnState::Disconnecting {
            self.set_conn(ConnState::StandAlone);
            self.resource.net = None;
            self.push(Effect::StopNetwork);
            self.left();
        } else if self.resource.conn != ConnState::StandAlone {
            self.set_conn(ConnState::Unconnected);
            self.look_again(orderly);
        }
    }

    /// The peer is to be looked for again, after some time.
    fn look_again(&mut self, orderly: bool) {
        let interval = self.resource.net.as_ref().map_or(0, |net| net.connect_int);
        let (now, random) = (self.env.now, self.random());
        let backoff = &mut self.resource.backoff;
        let after_ms = backoff.end(now, orderly, u64::from(interval) * 1000, random);
        self.push(Effect::LookAgain { after_ms });
    }

    /// The highest role of any volume of the peer.
    pub(super) fn any_primary(&self) -> bool {
        self.volumes.iter().any(|v| v.state.role == Role::Primary)
    }
}
