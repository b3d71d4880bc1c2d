// SPDX-License-Identifier: GPL-2.0

//! Counts broken invariants of the engine and of the driver, for debugfs: `tandem/broken` has a
//! line for each that was broken since the module was loaded, with its name and how often.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{
    AtomicU64,
    Ordering, //
};

use kernel::debugfs;
use kernel::prelude::*;
use kernel::sync::Arc;

use crate::engine::broken::Invariant;

/// How often each invariant was broken.
pub struct Faults {
    counts: [AtomicU64; Invariant::COUNT],
}

impl Faults {
    /// None so far. May sleep.
    pub fn new() -> Result<Arc<Self>> {
        let counts = [const { AtomicU64::new(0) }; Invariant::COUNT];
        Ok(Arc::new(Self { counts }, GFP_KERNEL)?)
    }

    /// Counts one. Any context.
    pub fn count(&self, invariant: Invariant) {
        if let Some(count) = self.counts.get(invariant.number()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The file `broken`.
pub struct File(pub Arc<Faults>);

impl debugfs::Writer for File {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (invariant, count) in Invariant::ALL.into_iter().zip(&self.0.counts) {
            match count.load(Ordering::Relaxed) {
                0 => {}
                count => writeln!(f, "{} {count}: {invariant}", invariant.name())?,
            }
        }
        Ok(())
    }
}
