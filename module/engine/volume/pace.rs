// SPDX-License-Identifier: GPL-2.0

//! How fast a resync or a verify asks the peer, and when it gives way to the application.
//!
//! In steps of 100 ms. With a fixed rate (`c-plan-ahead 0`) each step allows its share of
//! `resync-rate`. Else a controller aims at a certain amount of data on its way: `c-fill-target`,
//! or what makes an answer arrive after `c-delay-target`. What is missing of that is asked for in
//! equal parts over the steps of the plan (`c-plan-ahead`), on top of as much as has come in.
//!
//! Both sides give way while others use the local disk, as long as more than `c-min-rate` is got
//! done.

use crate::engine::ids::{
    Instant,
    BLOCK_SECTORS,
    BLOCK_SIZE,
    SECTOR_SIZE, //
};

/// Length of a step, in milliseconds.
const STEP_MS: u64 = 100;

/// Steps in a second.
const STEPS_PER_SECOND: u32 = (1000 / STEP_MS) as u32;

/// Steps of the longest plan: the largest `c-plan-ahead`, which is in steps, too.
const PLAN_MOST: usize = 300;

/// So many sectors of others are not noticed.
const UNNOTICED_SECTORS: i64 = 64;

/// How far a mark is behind the one before at least, in milliseconds.
const MARK_MS: u64 = 3000;

/// Marks that are kept.
const MARKS: usize = 8;

/// What the options say about resync and verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResyncLimits {
    /// Most data in flight, in sectors.
    pub in_flight: u32,
    /// Largest single request, in bytes (a multiple of 4096).
    pub request_bytes: u32,
    /// Requests of so many bytes may be answered with "all zeroes"; 0: none
    /// (`rs-discard-granularity`).
    pub thin_bytes: u32,
    /// The fixed rate, and the one that the controller begins with, in KiB/s (`resync-rate`).
    pub rate: u32,
    /// Steps of 100 ms that the controller plans ahead; 0: there is none (`c-plan-ahead`).
    pub plan_ahead: u32,
    /// Sectors that shall be on their way; 0: as `delay_target` says (`c-fill-target`).
    pub fill_target: u32,
    /// How long they shall be, in 0.1 s (`c-delay-target`).
    pub delay_target: u32,
    /// The controller's highest rate, in KiB/s (`c-max-rate`).
    pub max_rate: u32,
    /// The rate that is kept beside the application's I/O, in KiB/s; 0: it is not looked at
    /// (`c-min-rate`).
    pub min_rate: u32,
}

impl Default for ResyncLimits {
    /// A fixed rate that gives way to nobody.
    fn default() -> Self {
        Self {
            in_flight: 8192,
            request_bytes: 128 << 10,
            thin_bytes: 0,
            rate: 102_400,
            plan_ahead: 0,
            fill_target: 0,
            delay_target: 10,
            max_rate: 102_400,
            min_rate: 0,
        }
    }
}

/// How much more has to be asked for in each of the next steps, in sectors; a ring.
#[derive(Debug)]
struct Plan {
    steps: [i32; PLAN_MOST],
    len: usize,
    at: usize,
    /// The sum of all steps.
    total: i64,
}

impl Plan {
    const EMPTY: Self = Self {
        steps: [0; PLAN_MOST],
        len: 0,
        at: 0,
        total: 0,
    };

    /// Forgets what was planned. In its place: a plan is much for a kernel's stack.
    fn begin(&mut self, steps: u32) {
        self.steps.fill(0);
        self.len = usize::try_from(steps).map_or(PLAN_MOST, |len| len.min(PLAN_MOST));
        self.at = 0;
        self.total = 0;
    }

    /// Spreads what is missing over all steps, and takes the next one.
    fn correct(&mut self, missing: i64) -> i64 {
        // At most 300.
        let len = self.len.max(1) as i64;
        let each = missing.saturating_sub(self.total).checked_div(len);
        let each = each.and_then(|each| i32::try_from(each).ok()).unwrap_or(0);
        for step in self.steps.iter_mut().take(self.len) {
            *step = step.saturating_add(each);
        }
        let spread = i64::from(each).saturating_mul(len);
        self.total = self.total.saturating_add(spread);
        let now = self.steps.get_mut(self.at).map_or(0, core::mem::take);
        let now = i64::from(now);
        let next = self.at + 1;
        self.at = if next < self.len { next } else { 0 };
        self.total = self.total.saturating_sub(now);
        now
    }
}

/// When how much was left, in blocks.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    at: Instant,
    left: u64,
}

/// Where a resync or verify was in the last half minute.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    list: [Mark; MARKS],
    last: usize,
}

impl Marks {
    fn new(now: Instant, left: u64) -> Self {
        Self {
            list: [Mark { at: now, left }; MARKS],
            last: 0,
        }
    }

    fn behind(&self, last: usize) -> Mark {
        let at = (self.last + MARKS - last) % MARKS;
        self.list.get(at).copied().unwrap_or_default()
    }

    /// Sets a mark if one is due. What stands still keeps the marks that it has.
    fn advance(&mut self, now: Instant, left: u64) {
        let last = self.behind(0);
        if now.since(last.at) < MARK_MS || last.left == left {
            return;
        }
        self.last = (self.last + 1) % MARKS;
        if let Some(mark) = self.list.get_mut(self.last) {
            *mark = Mark { at: now, left };
        }
    }

    /// KiB/s since the last mark but one, some seconds ago.
    fn rate(&self, now: Instant, left: u64) -> u64 {
        let mark = self.behind(1);
        let milliseconds = now.since(mark.at).max(1000);
        let kib = u64::from(BLOCK_SIZE / 1024);
        let done = mark.left.saturating_sub(left).saturating_mul(kib);
        // Never by zero.
        done.saturating_mul(1000)
            .checked_div(milliseconds)
            .unwrap_or(0)
    }
}

/// What a monitor shows of the pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaceView {
    /// The rate that is aimed at now, in KiB/s.
    pub want: u32,
    /// It waits, as others use the disk.
    pub gives_way: bool,
    /// Some time within the last half minute, or the begin.
    pub mark: Instant,
    /// What was left then, in blocks.
    pub left: u64,
    /// Some seconds ago.
    pub recent: Instant,
    /// What was left then, in blocks.
    pub recent_left: u64,
}

/// The pace of the running resync or verify.
#[derive(Debug)]
pub(super) struct Pace {
    limits: ResyncLimits,
    /// The begin of the step that is under way.
    step: Instant,
    /// Sectors that may still be asked for.
    allowed: u32,
    /// What is too little for a sector, in fifths of it.
    rest: u32,
    plan: Plan,
    /// Sectors asked for that have not come in before this step.
    in_flight: u32,
    /// Sectors that came in during this step.
    came: u32,
    want: u32,
    /// What resync and verify themselves have done to the disk since the begin, in sectors.
    caused: u64,
    /// Sectors of others at the disk when they were noticed last.
    noticed: Option<i64>,
    /// Until when it gives way to them.
    gives_way_until: Instant,
    gives_way: bool,
    marks: Marks,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            limits: ResyncLimits::default(),
            step: Instant::default(),
            allowed: 0,
            rest: 0,
            plan: Plan::EMPTY,
            in_flight: 0,
            came: 0,
            want: 0,
            caused: 0,
            noticed: None,
            gives_way_until: Instant::default(),
            gives_way: false,
            marks: Marks::default(),
        }
    }
}

impl Pace {
    /// What the options say.
    pub(super) fn limits(&self) -> ResyncLimits {
        self.limits
    }

    /// Puts other options in force, from the next step on.
    pub(super) fn set_limits(&mut self, limits: ResyncLimits) {
        if self.limits.plan_ahead != limits.plan_ahead {
            self.plan.begin(limits.plan_ahead);
        }
        if self.limits.rate != limits.rate {
            // What the former rate left over.
            self.allowed = 0;
        }
        self.limits = limits;
    }

    /// A resync or verify of so many blocks begins.
    pub(super) fn begin(&mut self, now: Instant, left: u64) {
        // The first step is due at once.
        self.step = Instant(now.0.saturating_sub(STEP_MS));
        self.allowed = 0;
        self.rest = 0;
        self.plan.begin(self.limits.plan_ahead);
        self.in_flight = 0;
        self.came = 0;
        self.want = self.limits.rate;
        self.caused = 0;
        self.noticed = None;
        self.gives_way_until = now;
        self.gives_way = false;
        self.marks = Marks::new(now, left);
    }

    /// Looks whether others use the disk, and begins a step if one is due. `left`: blocks.
    ///
    /// `disk`: what the local disk has done since ever, in sectors. `application_waits`: for the
    /// activity log.
    pub(super) fn tick(&mut self, now: Instant, left: u64, disk: u64, application_waits: bool) {
        self.marks.advance(now, left);
        self.look_at_others(now, left, disk, application_waits);
        let elapsed = now.since(self.step);
        if elapsed < STEP_MS {
            return;
        }
        // No step gets lost because the clock is late, unless it is very late.
        self.step = match elapsed {
            ..200 => self.step.plus(STEP_MS),
            _ => now,
        };
        let came = core::mem::take(&mut self.came);
        self.in_flight = self.in_flight.saturating_sub(came);
        if self.limits.plan_ahead == 0 {
            self.allow_fixed();
        } else {
            self.allow_planned(came);
        }
    }

    fn allow_fixed(&mut self) {
        let ResyncLimits {
            rate,
            request_bytes,
            ..
        } = self.limits;
        self.want = rate;
        // 1 KiB/s is a fifth of a sector each step.
        self.rest = self.rest.saturating_add(rate);
        let sectors = self.rest / 5;
        self.rest %= 5;
        // What was not used can be made up for, but not all at once.
        let most = sectors.saturating_add(request_bytes / SECTOR_SIZE);
        self.allowed = self.allowed.saturating_add(sectors).min(most);
    }

    fn allow_planned(&mut self, came: u32) {
        let limits = self.limits;
        let wanted = if self.in_flight == 0 && came == 0 {
            // The begin: nothing is known yet.
            u64::from(limits.rate / 5) * u64::from(limits.plan_ahead)
        } else if limits.fill_target != 0 {
            u64::from(limits.fill_target)
        } else {
            u64::from(came) * u64::from(limits.delay_target)
        };
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        let more = self
            .plan
            .correct(wanted.saturating_sub(i64::from(self.in_flight)));
        let most = limits.max_rate / 5;
        let sectors = i64::from(came)
            .saturating_add(more)
            .clamp(0, i64::from(most));
        let blocks = sectors as u32 / BLOCK_SECTORS as u32;
        self.allowed = blocks * BLOCK_SECTORS as u32;
        self.want = (self.allowed / 2).saturating_mul(STEPS_PER_SECOND);
    }

    /// Gives way for the length of a step each time that others are noticed.
    fn look_at_others(&mut self, now: Instant, left: u64, disk: u64, application_waits: bool) {
        if now < self.gives_way_until {
            return;
        }
        // They may be counted after what we have caused: differences only make sense with a sign.
        let others = disk.wrapping_sub(self.caused) as i64;
        let noticed = *self.noticed.get_or_insert(others);
        let busy = application_waits || others.wrapping_sub(noticed) > UNNOTICED_SECTORS;
        if busy {
            self.noticed = Some(others);
        }
        let min = u64::from(self.limits.min_rate);
        self.gives_way = min != 0 && busy && self.marks.rate(now, left) > min;
        if self.gives_way {
            self.gives_way_until = now.plus(STEP_MS);
        }
    }

    /// Whether others go first.
    pub(super) fn gives_way(&self) -> bool {
        self.gives_way
    }

    /// So many sectors may be asked for now.
    pub(super) fn allowed(&self) -> u32 {
        if self.gives_way {
            return 0;
        }
        self.allowed
    }

    /// So many sectors are asked for.
    pub(super) fn asked(&mut self, sectors: u32) {
        self.allowed = self.allowed.saturating_sub(sectors);
        self.in_flight = self.in_flight.saturating_add(sectors);
    }

    /// So many sectors came in, or will never.
    pub(super) fn came(&mut self, sectors: u32) {
        self.came = self.came.saturating_add(sectors);
    }

    /// The disk is asked for so many sectors by a resync or a verify.
    pub(super) fn causes(&mut self, sectors: u64) {
        self.caused = self.caused.wrapping_add(sectors);
    }

    /// What a monitor shows.
    pub(super) fn view(&self) -> PaceView {
        // The mark that will be overwritten next but one.
        let mark = self.marks.behind(MARKS - 2);
        let recent = self.marks.behind(1);
        PaceView {
            recent: recent.at,
            recent_left: recent.left,
            want: self.want,
            gives_way: self.gives_way,
            mark: mark.at,
            left: mark.left,
        }
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
