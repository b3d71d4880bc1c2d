// SPDX-License-Identifier: GPL-2.0

//! The rare decisions: roles, connection and disk states, handshakes, generations.
//!
//! A [`Resource`] knows the states of all its volumes ([`VolumeRecord`]) and turns each [`Event`]
//! into [`Effect`]s. It runs in one thread of the driver, one event at a time; the driver carries
//! the effects of an event out before it feeds the next. It never touches a request: what requests
//! have to obey it puts into each volume's `Policy`.

mod admin;
mod attach;
mod broken;
mod change;
mod congestion;
mod dependency;
mod effect;
mod ending;
mod event;
mod fencing;
mod handler;
mod handshake;
mod leave;
mod limits;
mod loss;
mod network;
mod notice;
mod patience;
mod peer_params;
mod peer_state;
mod policy;
mod record;
mod resize;
mod resync;
mod role;
mod rules;
mod size;
mod split_brain;
mod verify;
mod waiting;
mod write_order;

#[cfg(test)]
mod broken_tests;
#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod peer_state_tests;
#[cfg(test)]
mod resize_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verify_tests;

use super::backoff::Backoff;
use super::broken::Broken;
use super::options::{
    NetOptions,
    ResourceOptions, //
};
use super::state::{
    ConnState,
    DeviceState,
    Role, //
};
use super::wire::handshake::{
    Agreement,
    Features, //
};

pub use attach::IoKind;
pub use dependency::{
    check_after,
    may_sync,
    Dependency, //
};
pub use effect::{
    Effect,
    Loss,
    Outgoing,
    Output, //
};
pub use ending::{
    Changes,
    Ending,
    Why, //
};
pub use event::{
    Admin,
    Env,
    Event,
    RarePacket,
    Token, //
};
pub use handler::{
    Call,
    Handler, //
};
pub use notice::{
    FullSync,
    Notice, //
};
pub use peer_params::{
    PeerProtocol,
    PeerSyncParams, //
};
pub use record::{
    Disk,
    LowerSizes,
    VolumeRecord, //
};
pub use waiting::{
    Awaited,
    Waiting, //
};

pub use resize::SizeWish;
pub use write_order::WriteOrder;

use admin::Pending;
use fencing::Fence;
use rules::Context;

/// One resource: everything that is common to its volumes, and its one connection.
#[derive(Debug)]
pub struct Resource {
    /// The connection's own state, never above `WFReportParams`; volumes go further.
    conn: ConnState,
    /// The network options; `None` while nothing is configured.
    net: Option<NetOptions>,
    options: ResourceOptions,
    agreed: Agreement,
    /// Our states were told, the peer's first ones are awaited.
    state_sent: bool,
    /// The peer only wants to know what would happen (`--tentative`).
    peer_asks_only: bool,
    /// This node's requests win over concurrent ones of the peer.
    resolver: bool,
    /// The command that waits for the peer.
    pending: Option<Pending>,
    /// So many answers of the peer are on their way to commands that were given up.
    late_replies: u32,
    /// The call of `fence-peer` under way.
    fence: Option<Fence>,
    /// Connections that were made so far.
    connections: u32,
    /// How they ended.
    backoff: Backoff,
    /// Calls of handlers so far.
    calls: u32,
    /// How the peer's writes are kept in order.
    write_order: WriteOrder,
    /// Rules of our own that were broken.
    broken: Broken,
    /// Why the connection ended the last time.
    ending: Option<Ending>,
}

impl Default for Resource {
    fn default() -> Self {
        Self::new(ResourceOptions::default())
    }
}

impl Resource {
    /// A resource without volumes and without peer.
    pub fn new(options: ResourceOptions) -> Self {
        Self {
            conn: ConnState::StandAlone,
            net: None,
            options,
            agreed: Agreement {
                version: super::wire::PROTOCOL_BEFORE_HANDSHAKE,
                features: Features::NONE,
            },
            state_sent: false,
            peer_asks_only: false,
            resolver: false,
            pending: None,
            late_replies: 0,
            fence: None,
            connections: 0,
            backoff: Backoff::default(),
            calls: 0,
            write_order: WriteOrder::default(),
            broken: Broken::default(),
            ending: None,
        }
    }

    /// The connection's own state.
    pub fn conn(&self) -> ConnState {
        self.conn
    }

    /// The network options, while the connection is configured.
    pub fn net(&self) -> Option<&NetOptions> {
        self.net.as_ref()
    }

    /// How the peer's writes are kept in order.
    pub fn write_order(&self) -> WriteOrder {
        self.write_order
    }

    /// The resource options.
    pub fn options(&self) -> &ResourceOptions {
        &self.options
    }

    /// Why the connection ended the last time.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// What was agreed with the peer.
    pub fn agreed(&self) -> Agreement {
        self.agreed
    }

    /// Takes one event. `volumes` are the same records at the same positions each time.
    pub fn handle(
        &mut self,
        volumes: &mut [VolumeRecord],
        env: Env,
        event: Event,
        out: &mut dyn Output,
    ) {
        Step {
            resource: self,
            volumes,
            env,
            out,
            found: None,
        }
        .run(event);
    }
}

/// The handling of one event.
struct Step<'a> {
    resource: &'a mut Resource,
    volumes: &'a mut [VolumeRecord],
    env: Env,
    out: &'a mut dyn Output,
    /// What was found in this event and forbids to go on, if the connection ends.
    found: Option<Why>,
}

impl Step<'_> {
    fn run(&mut self, event: Event) {
        self.take_in_newcomers();
        if self.knows_volume_of(&event) {
            self.take(event);
        }
        self.look_at_clock();
        self.note_waiting();
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Admin(token, command) => self.admin(token, command),
            Event::GiveUp(token) => self.give_up(token),
            Event::Abandon(token) => self.abandon_command(token),
            Event::Connecting => self.connecting(),
            Event::Features(features) => self.features(features),
            Event::Login(outcome) => self.login(outcome),
            Event::Handshaken { resolver } => self.handshaken(resolver),
            Event::Packet { volume, packet } => self.packet(volume, packet),
            Event::BitmapReceived { volume } => self.bitmap_received(volume),
            Event::BitmapSent { volume } => self.bitmap_sent(volume),
            Event::Trouble(loss) => self.trouble(loss),
            Event::Disconnected(loss) => self.disconnected(loss),
            Event::ResyncFinished { volume, failed } => self.resync_finished(volume, failed),
            Event::VerifyFinished { volume } => self.verify_finished(volume),
            Event::PingAnswered => {
                self.tell_ends();
                self.promote_now();
            }
            Event::IoError { volume, kind } => self.io_error(volume, kind),
            Event::FlushUnsupported => self.flush_unsupported(),
            Event::Broken { volume, invariant } => self.broken(volume, invariant),
            Event::Drained { volume } => self.drained(volume),
            Event::Congested { volume, limit } => self.congested(volume, limit),
            Event::Relieved { volume } => self.relieved(volume),
            Event::Depends { volume, waits } => self.depends(volume, waits),
            Event::TooLarge { volume } => self.too_large(volume),
            Event::Unanswered { volume } => self.writes_unanswered(volume),
            Event::DiskReleased { volume, saved } => self.disk_released(volume, saved),
            Event::HandlerDone { call, status } => self.handler_done(call, status),
            Event::Tick => {
                self.ask_again();
                self.promote_now();
                self.catch_up();
            }
        }
    }

    fn push(&mut self, effect: Effect) {
        self.out.push(effect);
    }

    /// Tells people something about a volume.
    fn notice(&mut self, volume: usize, notice: Notice) {
        self.tell(Some(volume), notice);
    }

    /// Tells people something about a volume, or about the resource.
    fn tell(&mut self, volume: Option<usize>, notice: Notice) {
        self.may_end_by(volume, notice);
        self.push(Effect::Notice { volume, notice });
    }

    fn send(&mut self, volume: usize, packet: Outgoing) {
        let volume = self.volumes.get(volume).map_or(0, |v| v.number);
        self.push(Effect::Send { volume, packet });
    }

    fn state(&self, volume: usize) -> DeviceState {
        self.volumes
            .get(volume)
            .map_or(DeviceState::INITIAL, |v| v.state)
    }

    /// A random number of our own for each purpose within one event.
    fn random(&mut self) -> u64 {
        // splitmix64: one step from the event's number gives independent ones.
        self.env.random = self.env.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.env.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// What the rules need to know for a change of one volume.
    fn context(&self, volume: usize) -> Context {
        let net = self.resource.net.as_ref();
        let record = self.volumes.get(volume);
        let other_peer_primary = self
            .volumes
            .iter()
            .enumerate()
            .any(|(i, v)| i != volume && v.state.peer == Role::Primary);
        Context {
            two_primaries: net.is_some_and(|n| n.allow_two_primaries),
            has_net: net.is_some(),
            other_peer_primary,
            fencing: record.map_or(Default::default(), |v| {
                if v.disk.is_some() {
                    v.options.fencing
                } else {
                    Default::default()
                }
            }),
            on_no_data: self.resource.options.on_no_data_accessible,
            open: record.is_some_and(|v| v.open_count != 0),
            has_verify_alg: net.is_some_and(|n| !n.verify_alg.as_bytes().is_empty()),
            version: self.resource.agreed.version,
            state_sent: self.resource.state_sent,
        }
    }
}
