// SPDX-License-Identifier: GPL-2.0

//! Random runs: what the application, the administrator and the world do, by seed.

use std::panic::{catch_unwind, AssertUnwindSafe};

use tandem_engine::engine::options::{FixedStr, WireProtocol};
use tandem_engine::engine::resource::{Admin, Token};
use tandem_engine::engine::state::{ConnState, DeviceState, DiskState, Role};

use crate::congestion::{self, congests};
use crate::event::Ev;
use crate::listener::Listener;
use crate::node::Net;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::story::{Cause, Line};
use crate::world::{Config, World};

mod moments;
mod settle;
mod stuck;
mod two_primaries;
mod unrest;
mod volumes;

/// The outcome of one seed.
pub struct Outcome {
    /// The first broken promise.
    pub failure: Option<String>,
    /// What happened.
    pub story: Vec<Line>,
    /// Both disks at the end.
    pub picture: String,
    /// Events of the simulator.
    pub steps: u64,
    /// Actions that the seed has, the ones that were left out included.
    pub actions: u32,
}

/// A run in progress.
struct Run<'a> {
    plan: &'a Plan,
    world: World,
    /// Chance of the present action, its own: with another action left out, it is the same.
    rng: Rng,
    /// Actions until now.
    actions: u32,
    /// Events until now.
    steps: u64,
    /// The command that was last given, per node.
    busy: [Option<Token>; 2],
    /// The nodes shall be told to connect.
    wanted: [bool; 2],
    /// The node that shall be Primary, by volume.
    primary: Vec<Option<usize>>,
    /// The network is configured as soon as the first volume has its disk.
    eager: bool,
    /// The application writes.
    load: bool,
    hot: Vec<u64>,
    /// May promote against the rules.
    reckless: bool,
    /// Disks fail, too.
    bad_disks: bool,
    /// Links fail in one direction, and nodes notice late that a session is dead.
    half_open: bool,
    /// Sectors rot, and nodes verify.
    verifies: bool,
    /// The administrator changes options.
    changes: bool,
    /// Sessions break one after the other, and clocks jump.
    bad_times: bool,
    /// Sessions that break yet.
    storm: u64,
    /// Both nodes may be Primary.
    dual: bool,
    /// Policies change, and disks hang.
    moments: bool,
    /// Both nodes lose their power at once.
    blackouts: bool,
}

/// From this seed on some disks are slow. (Kept seeds below it keep their meaning.)
const SLOW_DISKS: u64 = 1_000_000;

/// From this seed on links fail in one direction only, too.
const HALF_OPEN: u64 = 1 << 32;

/// From this seed on sectors rot, and nodes verify.
const VERIFIES: u64 = 1 << 40;

/// From this seed on resyncs may tell digests.
const DIGESTS: u64 = 3 << 39;

/// The first of the seeds that come from the names of commits: with all that is found to be well.
pub const OF_COMMITS: u64 = unrest::LOG_CHANGES;

/// From this seed on pairs use the other protocols, too, what they tell of their settings is heard,
/// and options change.
const PROTOCOLS: u64 = 1 << 42;

/// From this seed on disks fail, too, beside all that seeds below know.
const EVERYTHING: u64 = 1 << 44;

/// Seeds below have only the first kinds of faults: those that were kept stay what they were.
const ALL_FAULTS: u64 = 1 << 48;

/// From this seed on sessions end at any byte.
const AT_ANY_BYTE: u64 = 1 << 49;

/// Of which older seeds a seed has the faults: those from 2^49 on of four kinds, by turns.
fn kind_of(seed: u64) -> u64 {
    match seed.checked_sub(AT_ANY_BYTE) {
        None => seed,
        Some(number) => (1 << [43, 45, 46, 47][(number % 4) as usize]) + number / 4 % 4,
    }
}

/// Whether a volume gets its disk before the network is configured.
fn awaits_disk(s: &DeviceState) -> bool {
    s.disk <= DiskState::Attaching && s.role != Role::Primary
}

/// By then every command of the administrator is answered, in ms.
const ANSWERED_MS: u64 = 10_000;

/// A verify of the whole volume has ended by then, in ms.
const LONGEST_VERIFY_MS: u64 = 500_000;

/// More events than any run has, unless it goes round in circles.
const MAX_STEPS: u64 = 1_000_000;

/// Runs a plan, and records what happens to the engine's values.
pub fn record(plan: &Plan) -> (Outcome, Vec<u8>) {
    let listener = Listener::recording();
    let outcome = run_heard(plan, false, &listener);
    (outcome, listener.recorded())
}

/// Runs a plan; with `told`, notes what happens and draws the disks at the end.
pub fn run(plan: &Plan, told: bool) -> Outcome {
    run_heard(plan, told, &Listener::default())
}

fn run_heard(plan: &Plan, told: bool, listener: &Listener) -> Outcome {
    let mut run = Run::new(plan, listener);
    if told {
        run.world.story = Some(Vec::new());
    }
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run.all())) {
        let text = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(text), _) => text,
            (_, Some(text)) => *text,
            _ => "without words",
        };
        run.world.fail(format!("panic: {text}"));
    }
    let picture = if told {
        run.world.picture()
    } else {
        String::new()
    };
    Outcome {
        failure: run.world.failure,
        story: run.world.story.unwrap_or_default(),
        picture,
        steps: run.steps,
        actions: run.actions,
    }
}

/// Draws whether a resync tells digests, where a seed does.
fn draw_digests(seed: u64, rng: &mut Rng, config: &mut Config) {
    if seed >= DIGESTS && rng.chance(40) {
        config.node.net.csums_alg = FixedStr::new(b"crc32c").expect("short");
        config.node.net.csums_after_crash_only = rng.chance(20);
        config.scarce = 5;
    }
}

/// Draws the protocol, where a seed does.
fn draw_protocol(seed: u64, rng: &mut Rng, config: &mut Config) {
    use WireProtocol::{A, B, C};
    if (PROTOCOLS..ALL_FAULTS).contains(&seed) {
        config.settings = true;
        config.node.net.protocol = [A, A, B, C][rng.below(4) as usize];
    }
}

/// Draws how long things take.
fn draw_times(seed: u64, rng: &mut Rng) -> Config {
    let mut config = Config {
        step: rng.below(4),
        disk: match seed {
            SLOW_DISKS.. if rng.chance(12) => rng.within(50, 300),
            _ => rng.within(1, 20),
        },
        wire: rng.within(1, 15),
        ..Config::default()
    };
    config.meta = match seed {
        // Metadata on a device of its own.
        SLOW_DISKS.. if rng.chance(50) => config.disk.min(10),
        _ => config.disk,
    };
    if seed >= HALF_OPEN && rng.chance(50) {
        config.notice = rng.within(60, 900);
    }
    config
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, listener: &Listener) -> Self {
        let mut rng = Rng::new(plan.seed ^ 0xabcd);
        let seed = kind_of(plan.seed);
        let mut config = draw_times(seed, &mut rng);
        config.bytes = plan.seed >= AT_ANY_BYTE;
        config.node.listener = listener.clone();
        config.node.net.use_rle = rng.chance(70);
        config.node.net.max_epoch_size = [1, 3, 2048][rng.below(3) as usize];
        let newest = (VERIFIES..ALL_FAULTS).contains(&seed);
        if newest {
            config.node.net.verify_alg = FixedStr::new(b"crc32c").expect("short");
        }
        draw_digests(seed, &mut rng, &mut config);
        draw_protocol(seed, &mut rng, &mut config);
        congestion::draw(&mut config, seed, &mut rng);
        let dual = two_primaries::draw(&mut config, seed);
        let moments = moments::draw(&mut config, seed, &mut rng);
        crate::dialect::draw(seed, &mut rng, &mut config);
        volumes::draw(&mut config, plan.seed, &mut rng);
        unrest::draw(&mut config, plan.seed, &mut rng);
        let volumes = config.volumes;
        let eager = volumes == 1 || rng.chance(50);
        config.node.al_extents = rng.within(2, 5) as usize;
        config.node.slots = rng.within(3, 24) as usize;
        config.node.peers = rng.within(8, 40) as usize;
        let world = match rng.chance(10) {
            true => World::new(plan.world_seed(), config),
            false => World::synced(plan.world_seed(), config),
        };
        let hot = (0..rng.within(3, 12))
            .map(|_| rng.below(6) * 8192 + rng.below(1020) * 8)
            .collect();
        let blackouts = moments && moments::has_blackouts(seed);
        let reckless = rng.chance(15) || blackouts;
        let bad_disks = seed >= EVERYTHING && !congests(seed) && rng.chance(30) && !dual;
        Self {
            plan,
            world,
            rng,
            actions: 0,
            steps: 0,
            busy: [None; 2],
            wanted: [true; 2],
            primary: vec![None; volumes],
            eager,
            load: true,
            hot,
            reckless,
            bad_disks,
            half_open: seed >= HALF_OPEN,
            verifies: newest && !dual,
            changes: (PROTOCOLS..ALL_FAULTS).contains(&seed) && !dual,
            bad_times: (EVERYTHING..ALL_FAULTS).contains(&seed) && !dual,
            storm: 0,
            dual,
            moments,
            blackouts,
        }
    }

    fn all(&mut self) {
        let end = self.rng.within(500, 2500);
        let calm = self.rng.chance(if self.dual { 60 } else { 20 });
        self.world.at(0, Ev::Script);
        while self.world.now < end && self.world.failure.is_none() && self.step() {
            if core::mem::take(&mut self.world.script_due) {
                if self.plan.ends_before(self.actions) {
                    break;
                }
                self.rng = Rng::of_action(self.plan.seed, self.actions);
                let delay = self.rng.within(1, 30);
                self.world.cause = Cause::Nothing;
                self.configure();
                self.world.cause = Cause::Action(self.actions);
                if self.storm != 0 {
                    self.storm -= 1;
                    self.world.reset_session();
                }
                if self.plan.takes(self.actions) {
                    self.action(calm);
                }
                self.world.cause = Cause::Nothing;
                self.actions += 1;
                self.world.at(delay, Ev::Script);
            }
        }
        self.settle();
    }

    fn step(&mut self) -> bool {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            self.world.fail("no end of events".into());
        }
        self.world.step()
    }

    fn free(&mut self, n: usize) -> bool {
        match self.busy[n] {
            Some(token) if self.world.answer(n, token).is_none() => false,
            _ => {
                self.busy[n] = None;
                true
            }
        }
    }

    /// Brings what is not configured up again.
    fn configure(&mut self) {
        self.break_circles();
        self.uncross_roles();
        for volume in 0..self.world.volumes() {
            self.world.look_at(volume);
            self.configure_volume(volume);
        }
    }

    fn configure_volume(&mut self, volume: usize) {
        let split = self.any_split();
        for n in 0..2 {
            if !self.world.nodes[n].up || !self.free(n) {
                continue;
            }
            let node = &self.world.nodes[n];
            let state = node.state();
            let stranded = state.role == Role::Primary && node.resource.net().is_none();
            let lost = !self.load
                && state.role == Role::Primary
                && state.disk == DiskState::Diskless
                && (node.notices.iter().any(|n| n.contains("WrongData")) || node.refused_disk());
            if lost {
                // It cannot know that the peer's data is its own: somebody has to say so.
                self.primary[volume] = None;
                let frozen = state.susp_nod && self.rng.chance(50);
                self.give_up_service(n, frozen);
                continue;
            }
            if state.disk == DiskState::Diskless && !node.vol.lower && !stranded {
                self.busy[n] = Some(self.world.attach(n));
            } else if node.resource.net().is_none()
                && node.net == Net::Off
                && self.wanted[n]
                && (state.disk > DiskState::Attaching || stranded)
                && (self.eager || !node.states().iter().any(awaits_disk))
                && !split
            {
                self.busy[n] = Some(self.world.connect(n));
            } else if !self.world.oracle.synced
                && self.serving().is_none()
                && self.free(1 - n)
                && self.world.nodes[1 - n].up
                && (self.dual || !self.world.nodes[1 - n].serves())
                && state.conn == ConnState::Connected
                && state.disk == DiskState::Inconsistent
            {
                self.primary[volume] = Some(n);
                self.busy[n] = Some(self.world.promote(n, true));
            }
        }
        if !self.load && self.world.nobody_is_good() && self.free(0) && self.free(1) {
            // Both disks failed, one after the other: somebody has to say which data it shall be.
            let primary = |n: &usize| self.world.nodes[*n].state().role == Role::Primary;
            if let Some(n) = [0, 1].into_iter().find(primary) {
                // It says so by a promotion.
                self.primary[volume] = None;
                let frozen = self.world.nodes[n].state().susp_nod;
                return self.give_up_service(n, frozen);
            }
            let n = self.rng.below(2) as usize;
            self.primary[volume] = Some(n);
            self.world.oracle.forcing = Some(n);
            self.busy[n] = Some(self.world.promote(n, true));
        }
    }

    /// A Primary without good data becomes Secondary; `frozen`: what waits for data fails before.
    fn give_up_service(&mut self, n: usize, frozen: bool) {
        let resume = Admin::Suspend {
            volume: self.world.volume,
            on: false,
        };
        self.busy[n] = Some(match frozen {
            true => self.world.admin(n, resume),
            false => self.world.demote(n),
        });
    }

    fn action(&mut self, calm: bool) {
        if self.world.volumes() > 1 {
            let volume = self.rng.below(self.world.volumes() as u64) as usize;
            self.world.look_at(volume);
        }
        if self.unrest(calm) {
            return;
        }
        let roll = self.rng.below(100);
        let primary = self.serving();
        let parts = matches!(roll, 72..=75 | 84..=88 | 98..=99);
        if self.dual && parts && self.both_serve() && self.rng.chance(90) {
            // They would go their own ways, and nothing more could be said of them.
            return;
        }
        match roll {
            0..=49 => self.application(primary),
            50..=59 => self.roles(),
            60..=63 if !calm => {
                let n = self.rng.below(2) as usize;
                self.world.each_volume(World::check_marks);
                self.world.crash(n);
                self.busy[n] = None;
                self.world.each_volume(World::check_marks);
            }
            64..=71 => {
                let n = self.rng.below(2) as usize;
                self.world.power_on(n);
            }
            72..=75 if !calm => self.world.cut(),
            76..=83 => {
                self.world.heal();
                self.world.unmute();
            }
            84..=85 if !calm => self.world.reset_session(),
            86..=88 => {
                let n = self.rng.below(2) as usize;
                if self.world.nodes[n].up && self.free(n) {
                    self.wanted[n] = false;
                    self.busy[n] = Some(self.world.disconnect(n));
                }
            }
            89..=92 => self.wanted = [true; 2],
            93 => {
                let n = self.rng.below(2) as usize;
                let node = &self.world.nodes[n];
                let alone = node.state().role == Role::Primary
                    && node.state().peer_disk != DiskState::UpToDate;
                if node.up && !alone && self.free(n) {
                    self.busy[n] = Some(self.world.detach(n));
                }
            }
            94..=95 => self.world.check_marks(),
            96..=97 if self.bad_disks => {
                let n = self.rng.below(2) as usize;
                let rate = [0, 20, 200][self.rng.below(3) as usize];
                self.world.disk_errors[n] = rate;
            }
            98..=99 if self.half_open && !calm => {
                let n = self.rng.below(2) as usize;
                self.world.mute(n);
            }
            _ => {}
        }
    }

    /// The node whose application works.
    fn serving(&self) -> Option<usize> {
        let n = self.primary[self.world.volume]?;
        let node = &self.world.nodes[n];
        (node.up && node.vol.writable).then_some(n)
    }

    fn application(&mut self, primary: Option<usize>) {
        let both = self.dual && self.both_serve();
        let primary = match both {
            true => Some(self.rng.below(2) as usize),
            false => primary,
        };
        let Some(n) = primary.filter(|_| self.load) else {
            return;
        };
        self.world.nodes[n].vol.open = true;
        let burst = self.rng.within(1, 6);
        for _ in 0..burst {
            let at = self.rng.below(self.hot.len() as u64) as usize;
            let sector = self.hot[at] + self.rng.below(12);
            let sectors = self.rng.within(1, 20) as u32;
            let sector = sector.min(6 * 8192 - 32);
            match self.rng.below(10) {
                0 => self.world.flush(n),
                1..=2 => self.world.read(n, sector, sectors),
                3..=4 if self.world.config.discards => {
                    self.world.discard_some(n, sector, sectors, &mut self.rng);
                }
                _ => {
                    self.world.write(n, sector, sectors);
                }
            }
        }
    }

    /// Promotes, demotes, changes over.
    fn roles(&mut self) {
        if let Some(n) = self.serving() {
            if self.dual && self.rng.chance(30) {
                return self.second_role(n);
            }
            let quiet = self.world.nodes[n].vol.open_requests() == 0 && self.free(n);
            if quiet && self.rng.chance(30) && self.free(n) {
                let volume = self.world.volume;
                self.primary[volume] = None;
                self.busy[n] = Some(self.world.demote(n));
            }
            return;
        }
        let n = self.rng.below(2) as usize;
        let volume = self.world.volume;
        let node = &self.world.nodes[n];
        let other = &self.world.nodes[1 - n];
        let good = node.state().disk == DiskState::UpToDate;
        let rival = other.up && other.state().role == Role::Primary;
        let missing = self.world.oracle.behind[n]
            || (self.world.oracle.weak[n] && !self.world.oracle.behind[1 - n]);
        if !node.up || !good || self.busy[1 - n].is_some() && other.up {
            return;
        }
        if (rival || missing) && !self.reckless {
            return;
        }
        if self.free(n) {
            self.primary[volume] = Some(n);
            self.busy[n] = Some(self.world.promote(n, false));
        }
    }
}
