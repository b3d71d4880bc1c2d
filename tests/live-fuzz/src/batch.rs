// SPDX-License-Identifier: GPL-2.0

//! A batch in the guest: everything is made, fuzzed from many threads, judged meanwhile and at the
//! end, and taken down.

use std::{
    fs,
    io::Write,
    process,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Mutex, PoisonError,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, Context, Result};

use crate::{
    judge::{self, PROC, WAITING},
    tally::Tally,
    watch,
    wire::worker::{Worker, WORKERS},
};

/// How often states are judged meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// Counts the seeds that are done.
pub const SEEDS: &str = "seeds";

/// What a batch shall do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The first seed.
    pub start: u64,
    /// So many seeds, at most.
    pub count: u64,
    /// And for so long, at most.
    pub time: Duration,
    /// Nothing that the module does may take longer.
    pub patience: Duration,
}

/// What all threads of a batch share.
struct Shared {
    plan: Plan,
    /// Threads that have not ended.
    running: AtomicU64,
    stop: AtomicBool,
    tally: Mutex<Tally>,
}

/// Says on the kernel's log what begins: it stands beside what the kernel says of it.
pub(crate) fn note(text: &str) {
    if let Ok(mut log) = fs::OpenOptions::new().write(true).open("/dev/kmsg") {
        // In one piece, as each is a line; of use only if something goes wrong.
        let _ = log.write_all(format!("<4>fuzz: {text}\n").as_bytes());
    }
}

/// Runs a batch of sessions. Returns what was reached, and the seed after the last.
///
/// # Errors
///
/// What the module did that it must not. What hangs ends the process, with status 3: its threads
/// cannot be ended.
pub fn run(plan: Plan) -> Result<Tally> {
    let (first, count) = (plan.start, plan.count.min(WORKERS));
    let mut workers = (first..first + count)
        .map(|seed| Ok((seed, Worker::new((seed % WORKERS) as u32)?)))
        .collect::<Result<Vec<_>>>()?;
    for (_, worker) in &workers {
        for place in &worker.resource.places {
            place.make()?;
        }
    }
    let shared = Shared {
        plan,
        running: AtomicU64::new(count),
        stop: AtomicBool::new(false),
        tally: Mutex::new(Tally::default()),
    };
    let end = Instant::now() + plan.time;
    let result = thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .map(|(seed, worker)| {
                let shared = &shared;
                let seed = *seed;
                scope.spawn(move || {
                    let result = sessions(shared, seed, worker);
                    shared.stop.fetch_or(result.is_err(), Ordering::AcqRel);
                    shared.running.fetch_sub(1, Ordering::AcqRel);
                    result
                })
            })
            .collect();
        let judged = supervise(&shared, end);
        shared.stop.store(true, Ordering::Release);
        threads.into_iter().fold(judged, |all, thread| {
            let ended = thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("a thread panicked")));
            all.and(ended)
        })
    });
    result?;
    let places = workers
        .iter()
        .flat_map(|(_, worker)| &worker.resource.places);
    for place in places {
        place.check()?;
        place.remove()?;
    }
    Ok(shared
        .tally
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner))
}

/// The sessions of one worker: every so-manieth seed. Afterwards its resource has to work.
fn sessions(shared: &Shared, first: u64, worker: &mut Worker) -> Result<()> {
    let plan = shared.plan;
    let mut tally = Tally::default();
    let mut seed = first;
    while seed < plan.start + plan.count && !shared.stop.load(Ordering::Acquire) {
        note(&format!("session {seed}"));
        worker
            .session(seed, &mut tally)
            .with_context(|| format!("session {seed}"))?;
        tally.add(SEEDS, 1);
        seed += WORKERS;
    }
    worker
        .down()
        .and_then(|()| worker.works())
        .with_context(|| format!("after session {seed}"))?;
    let mut all = shared.tally.lock().unwrap_or_else(PoisonError::into_inner);
    all.merge(&tally);
    Ok(())
}

/// Looks at states, and whether something hangs, until all threads have ended.
fn supervise(shared: &Shared, end: Instant) -> Result<()> {
    while shared.running.load(Ordering::Acquire) > 0 {
        if let Some(hung) = watch::overdue(shared.plan.patience) {
            give_up(&hung);
        }
        judge::states()?;
        if Instant::now() > end {
            shared.stop.store(true, Ordering::Release);
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Says what hangs and what the module waits for, and ends the process.
pub(crate) fn give_up(what: &str) -> ! {
    let file = |path| fs::read_to_string(path).unwrap_or_default();
    println!("{what}\n{}{}", file(WAITING), file(PROC));
    process::exit(3)
}
