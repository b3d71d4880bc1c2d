// SPDX-License-Identifier: GPL-2.0

//! The world of a pair: the queue of what will happen, the link, the power, the administrator.

use std::collections::BTreeMap;

use tandem_engine::engine::ids::Instant;
use tandem_engine::engine::meta::superblock::Flags;
use tandem_engine::engine::resource::Loss;

use crate::dialect::Dialect;
use crate::disk::Disk;
use crate::event::{Ev, What};
use crate::node::{exchange, Node, NodeConfig};
use crate::oracle::Oracle;
use crate::rng::Rng;
use crate::story::{Cause, Line, OUTSIDE};
use crate::vol::Vol;
use crate::worker::show;

/// How long things take and how large they are.
#[derive(Clone, Debug)]
pub struct Config {
    /// Longest pause between two steps of one thread, in ms.
    pub step: u64,
    /// Longest disk operation, in ms.
    pub disk: u64,
    /// Longest write of metadata, in ms.
    pub meta: u64,
    /// Longest way of a packet, in ms.
    pub wire: u64,
    /// Longest time until a node notices that a session is dead, in ms.
    pub notice: u64,
    /// Longest time for which who parts gently waits for the peer to close the session, in ms.
    pub parting: u64,
    /// Longest pause before the peer is looked for again, in ms.
    pub reconnect: u64,
    /// The peer is looked for again when the engine says so, and not as soon as possible.
    pub patient: bool,
    /// Largest resync request, in bytes.
    pub resync_bytes: u32,
    /// How often there is no memory to read what a resync tells the digest of, in percent.
    pub scarce: u64,
    /// What the peers tell of their settings reaches the resource.
    pub settings: bool,
    /// What the nodes agree on.
    pub dialect: Dialect,
    /// The application discards, and writes zeroes.
    pub discards: bool,
    /// Some of its writes have to be on stable storage when they are done (FUA).
    pub forces: bool,
    /// Sessions also end in the middle of a packet, which is as if it had not come.
    pub tears: bool,
    /// Sessions end at any byte: what is on its way arrives up to there.
    pub bytes: bool,
    /// The handler `fence-peer` outdates the peer, if it can.
    pub fences: bool,
    /// How many volumes there are.
    pub volumes: usize,
    /// Size of each volume, by node, in sectors.
    pub sectors: [u64; 2],
    /// Sectors by which the disks can grow.
    pub spare: u64,
    /// The nodes.
    pub node: NodeConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            step: 1,
            disk: 8,
            meta: 8,
            wire: 5,
            notice: 60,
            parting: 0,
            reconnect: 30,
            patient: false,
            resync_bytes: 1 << 20,
            scarce: 0,
            settings: false,
            dialect: Dialect::default(),
            discards: false,
            forces: false,
            tears: false,
            bytes: false,
            fences: false,
            volumes: 1,
            sectors: [6 * 8192; 2],
            spare: 0,
            node: NodeConfig::default(),
        }
    }
}

impl Config {
    /// The largest size that the volume can get, in sectors.
    pub(crate) fn volume(&self) -> u64 {
        self.sectors[0].min(self.sectors[1]) + self.spare
    }
}

/// A pair of nodes and all around it.
pub struct World {
    /// The time in ms.
    pub now: u64,
    order: u64,
    events: BTreeMap<(u64, u64), (Cause, Ev)>,
    /// The nodes.
    pub nodes: [Node; 2],
    /// All chance.
    pub rng: Rng,
    /// The link works.
    pub link: bool,
    /// Nothing that the node sends arrives; the link may work the other way.
    pub(crate) muted: [bool; 2],
    /// What did not arrive: it is sent again when it can be heard.
    pub(crate) held: Vec<Ev>,
    /// How often a node was muted or heard again.
    pub(crate) mutings: u64,
    /// How many of 1000 operations of a node's disk fail.
    pub disk_errors: [u64; 2],
    /// The node's disk does not answer for data.
    pub(crate) hung: [bool; 2],
    /// What it would have answered, and of which volume.
    pub(crate) stuck: [Vec<(usize, What)>; 2],
    /// How long things take.
    pub config: Config,
    /// The volume that the present thing is about.
    pub(crate) volume: usize,
    /// What the application may expect of that volume.
    pub oracle: Oracle,
    /// And of the others, in their order.
    hidden: Vec<Oracle>,
    /// Requests of resyncs for what the source has, too.
    pub equal_blocks: u64,
    /// Requests of resyncs that were answered with "all zeroes".
    pub thin_answers: u64,
    /// A node gets packets that its peer did not send.
    pub harmed: bool,
    /// What happened, if anybody wants to read it.
    pub story: Option<Vec<Line>>,
    /// Why the present thing happens.
    pub cause: Cause,
    /// The first broken promise.
    pub failure: Option<String>,
    pub(crate) meeting: bool,
    pub(crate) next_conn: u64,
    pub(crate) cut_conn: u64,
    pub(crate) last_arrival: [[u64; 2]; 2],
    ops: u64,
    /// Set when a [`Ev::Script`] event was taken.
    pub script_due: bool,
}

impl World {
    /// Two nodes with power, a working link, and disks with fresh metadata and different data.
    pub fn new(seed: u64, config: Config) -> Self {
        let node = |n: usize| {
            let all = config.sectors[n] + config.spare;
            let vol = |volume: usize| {
                let mut disk = Disk::new(all, n as u32 + 1, (n + 1000 * volume) as u64 + 77);
                disk.show(config.sectors[n]);
                Vol::new(disk, &config.node)
            };
            Node::new((0..config.volumes).map(vol).collect(), config.node.clone())
        };
        let oracle = || {
            let mut oracle = Oracle::new(config.volume(), 1);
            oracle.synced = false;
            oracle.dual = config.node.net.allow_two_primaries;
            oracle
        };
        Self {
            now: 0,
            order: 0,
            events: BTreeMap::new(),
            nodes: [node(0), node(1)],
            rng: Rng::new(seed),
            link: true,
            muted: [false; 2],
            held: Vec::new(),
            mutings: 0,
            disk_errors: [0; 2],
            hung: [false; 2],
            stuck: Default::default(),
            volume: 0,
            oracle: oracle(),
            hidden: (1..config.volumes).map(|_| oracle()).collect(),
            equal_blocks: 0,
            thin_answers: 0,
            harmed: false,
            story: None,
            cause: Cause::Nothing,
            failure: None,
            meeting: false,
            next_conn: 0,
            cut_conn: 0,
            last_arrival: [[0; 2]; 2],
            ops: 0,
            script_due: false,
            config,
        }
    }

    /// Two nodes whose disks were in sync when they went down.
    pub fn synced(seed: u64, config: Config) -> Self {
        let mut world = Self::new(seed, config);
        world.each_volume(|world| {
            for node in &mut world.nodes {
                let disk = &mut node.vol.disk;
                // What they do not show yet was never the same.
                let shown = disk.sectors() as usize;
                disk.cached[..shown].fill(1);
                disk.durable[..shown].fill(1);
                let mut superblock = disk.superblock();
                superblock.uuids.current = 0x1000;
                superblock.uuids.history = [0x2000, 0x3000];
                superblock.last_size = disk.sectors();
                superblock
                    .flags
                    .put(Flags::CONSISTENT.with(Flags::WAS_UP_TO_DATE), true);
                disk.put_superblock(&superblock);
            }
            world.oracle.synced = true;
        });
        world
    }

    /// How many volumes there are.
    pub fn volumes(&self) -> usize {
        1 + self.hidden.len()
    }

    /// From here on, all is about that volume.
    pub fn look_at(&mut self, volume: usize) {
        for node in &mut self.nodes {
            node.look_at(volume);
        }
        exchange(&mut self.oracle, &mut self.hidden, self.volume, volume);
        self.volume = volume;
    }

    /// Does something with each volume.
    pub fn each_volume(&mut self, mut act: impl FnMut(&mut Self)) {
        let former = self.volume;
        for volume in 0..self.volumes() {
            self.look_at(volume);
            act(self);
        }
        self.look_at(former);
    }

    /// Whether something is so for each volume.
    pub fn all_volumes(&mut self, mut so: impl FnMut(&mut Self) -> bool) -> bool {
        let mut all = true;
        self.each_volume(|world| all &= so(world));
        all
    }

    /// Notes something for the reader of the story: on node `place`, or [`OUTSIDE`]. What follows
    /// from here on, follows from this.
    pub fn tell(&mut self, place: usize, text: impl FnOnce() -> String) {
        let volume = (self.volumes() > 1).then_some(self.volume);
        if let Some(story) = &mut self.story {
            let about = volume.map_or(String::new(), |volume| format!("/{volume} "));
            story.push(Line {
                at: self.now,
                place,
                text: about + &text(),
                cause: self.cause,
            });
            self.cause = Cause::Line(story.len() - 1);
        }
    }

    /// A promise was broken.
    pub fn fail(&mut self, text: String) {
        self.tell(OUTSIDE, || format!("FAILURE {text}"));
        self.failure.get_or_insert(text);
    }

    pub(crate) fn check(&mut self, result: Result<(), String>) {
        if let Err(text) = result {
            self.fail(text);
        }
    }

    pub(crate) fn next_op(&mut self) -> u64 {
        self.ops += 1;
        self.ops
    }

    /// Lets something happen after `delay` ms.
    pub fn at(&mut self, delay: u64, ev: Ev) {
        self.order += 1;
        self.events
            .insert((self.now + delay, self.order), (self.cause, ev));
    }

    pub(crate) fn after(&mut self, n: usize, delay: u64, what: What) {
        let (life, volume) = (self.nodes[n].life, self.volume);
        self.at(
            delay,
            Ev::Node {
                n,
                life,
                volume,
                what,
            },
        );
    }

    /// Forgets the timer of a node that lost its power.
    pub(crate) fn stop_timer(&mut self, n: usize) {
        if let Some(timer) = self.nodes[n].timer.take() {
            self.events.remove(&timer);
        }
    }

    /// What would arrive in this very moment, in its order.
    pub(crate) fn take_arriving(&mut self) -> Vec<Ev> {
        let now = (self.now, 0)..=(self.now, u64::MAX);
        let arrives = |ev: &Ev| matches!(ev, Ev::Deliver { .. } | Ev::Eof { .. });
        let keys: Vec<(u64, u64)> = self
            .events
            .range(now)
            .filter(|(_, (_, ev))| arrives(ev))
            .map(|(&key, _)| key)
            .collect();
        keys.iter()
            .filter_map(|key| self.events.remove(key))
            .map(|(_, ev)| ev)
            .collect()
    }

    /// What is on its way to a node on one socket of a session, in its order: its place in the
    /// queue, and how many bytes it is.
    pub(crate) fn on_way(&self, to: usize, session: u64, meta: bool) -> Vec<((u64, u64), u64)> {
        let wanted = |ev: &Ev| match ev {
            Ev::Deliver {
                to: node,
                conn,
                meta: socket,
                packet,
            } if (*node, *conn, *socket) == (to, session, meta) => Some(packet.wire_len()),
            _ => None,
        };
        self.events
            .iter()
            .filter_map(|(&key, (_, ev))| wanted(ev).map(|len| (key, len)))
            .collect()
    }

    /// It will not happen.
    pub(crate) fn take_event(&mut self, key: (u64, u64)) -> Option<(Cause, Ev)> {
        self.events.remove(&key)
    }

    /// The time on a node's own clock.
    pub(crate) fn clock(&self, n: usize) -> Instant {
        Instant(self.now + self.nodes[n].skew)
    }

    /// A node's clock jumps forward, by ms.
    pub fn jump(&mut self, n: usize, by: u64) {
        self.tell(n, || format!("CLOCK jumps by {by} ms"));
        self.nodes[n].skew += by;
        self.set_timer(n);
    }

    /// Lets the resource of a node look at the clock when its engine wants to, and only then.
    pub(crate) fn set_timer(&mut self, n: usize) {
        let node = &self.nodes[n];
        let deadline = node.resource.deadline(&node.records);
        let deadline = deadline.map(|at| at.0.saturating_sub(node.skew));
        if let Some(timer) = self.nodes[n].timer {
            if deadline == Some(timer.0) {
                return;
            }
            self.events.remove(&timer);
        }
        self.nodes[n].timer = deadline.map(|at| {
            let delay = at.saturating_sub(self.now);
            self.after(n, delay, What::Tick);
            (self.now + delay, self.order)
        });
    }

    /// Lets the next thing happen; false when nothing is left.
    pub fn step(&mut self) -> bool {
        let Some(((time, _), (cause, ev))) = self.events.pop_first() else {
            return false;
        };
        self.now = time;
        self.cause = cause;
        match ev {
            Ev::Node {
                n,
                life,
                volume,
                what,
            } => {
                if self.nodes[n].up && self.nodes[n].life == life {
                    self.look_at(volume);
                    self.turn(n, what);
                }
            }
            Ev::Deliver { to, .. } | Ev::Eof { to, .. } if self.muted[1 - to] => self.held.push(ev),
            Ev::Deliver {
                to,
                conn,
                meta,
                packet,
            } => self.deliver(to, conn, meta, packet),
            Ev::Eof { to, conn } => {
                if conn > self.cut_conn {
                    self.lost(to, conn, Loss::NetworkFailure);
                }
            }
            Ev::Establish => self.establish(),
            Ev::Script => self.script_due = true,
        }
        true
    }

    /// Runs until `time`, or until a promise is broken.
    pub fn run_until(&mut self, time: u64) {
        while self.failure.is_none() {
            match self.events.first_key_value() {
                Some((&(at, _), _)) if at <= time => self.step(),
                _ => break,
            };
        }
        self.now = self.now.max(time);
    }

    /// Runs until nothing more happens; fails after `limit` ms.
    pub fn rest(&mut self, limit: u64) {
        let end = self.now + limit;
        while self.failure.is_none() {
            match self.events.first_key_value() {
                Some((&(at, _), _)) if at <= end => self.step(),
                Some(_) => {
                    let text = format!(
                        "no rest: a {} b {}",
                        show(self.nodes[0].state()),
                        show(self.nodes[1].state())
                    );
                    return self.fail(text);
                }
                None => break,
            };
        }
    }
}
