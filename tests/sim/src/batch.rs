// SPDX-License-Identifier: GPL-2.0

//! Many seeds, on all processors.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Mutex;

use crate::plan::Plan;
use crate::random::run;

/// Which seeds.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// The first.
    pub start: u64,
    /// How many.
    pub seeds: u64,
    /// Goes on after a failure.
    pub keep_going: bool,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Results {
    /// Seeds that were run.
    pub ran: u64,
    /// Events of the simulator, of all of them.
    pub steps: u64,
    /// Failed seeds, in their order.
    pub failures: Vec<(u64, String)>,
}

impl Batch {
    /// Runs the seeds. Stops at the first failure unless told otherwise; which seeds behind it
    /// were run then depends on the processors.
    pub fn run(&self) -> Results {
        let next = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        let results = Mutex::new(Results::default());
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(seed) = self.next(&next, &stop) {
                        let outcome = run(&Plan::of(seed), false);
                        let mut results = results.lock().unwrap_or_else(|e| e.into_inner());
                        results.ran += 1;
                        results.steps += outcome.steps;
                        if let Some(failure) = outcome.failure {
                            results.failures.push((seed, failure));
                            stop.store(!self.keep_going, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let mut results = results.into_inner().unwrap_or_else(|e| e.into_inner());
        results.failures.sort();
        results
    }

    fn next(&self, next: &AtomicU64, stop: &AtomicBool) -> Option<u64> {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let n = next.fetch_add(1, Ordering::Relaxed);
        (n < self.seeds).then(|| self.start.wrapping_add(n))
    }
}
