// SPDX-License-Identifier: GPL-2.0

//! What a case is.

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{anyhow, Result};
use vm::{Driver, Kernel};

use crate::pair::Pair;

/// The drivers of nodes a and b.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drivers {
    pub(crate) a: Driver,
    pub(crate) b: Driver,
}

/// Our module on both nodes.
pub(crate) const TANDEM: Drivers = Drivers {
    a: Driver::Tandem,
    b: Driver::Tandem,
};
/// Our module on node a, the stock C module on node b.
pub(crate) const TANDEM_DRBD: Drivers = Drivers {
    a: Driver::Tandem,
    b: Driver::Drbd,
};
/// The stock C module on node a, ours on node b.
pub(crate) const DRBD_TANDEM: Drivers = Drivers {
    a: Driver::Drbd,
    b: Driver::Tandem,
};

/// The pairs that every case of interoperation runs with.
pub(crate) const ALL: &[Drivers] = &[TANDEM, TANDEM_DRBD, DRBD_TANDEM];

impl fmt::Display for Drivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.a, self.b)
    }
}

impl FromStr for Drivers {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (a, b) = text.split_once('-').ok_or_else(|| {
            anyhow!("'{text}' is no pair of drivers: write for example tandem-drbd")
        })?;
        Ok(Self {
            a: a.parse()?,
            b: b.parse()?,
        })
    }
}

/// One behaviour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// The behaviour: the file's name.
    pub(crate) name: &'static str,
    /// The pairs of drivers it runs with.
    pub(crate) pairs: &'static [Drivers],
    /// Whether no pair is left to a later turn.
    pub(crate) every_pair: bool,
    /// Whether the whole case is left to a later turn as well, two times of three.
    pub(crate) by_turns: bool,
    /// The longest it may take.
    pub(crate) limit: Duration,
    /// The only kernel that it can be judged on; none: any.
    pub(crate) only: Option<Kernel>,
    /// Whether it runs only when it is asked for by name: it is long, and has a target of its own.
    pub(crate) on_demand: bool,
    /// Memory that its machines need, in MiB.
    pub(crate) mem_mib: u32,
    /// Arranges, acts, and judges by events and states.
    pub(crate) run: fn(&Pair<'_>) -> Result<()>,
}

impl Case {
    /// A case with all pairs and the usual limit.
    pub(crate) const fn new(name: &'static str, run: fn(&Pair<'_>) -> Result<()>) -> Self {
        Self {
            name,
            pairs: ALL,
            every_pair: false,
            by_turns: false,
            limit: Duration::from_secs(120),
            only: None,
            on_demand: false,
            mem_mib: 512,
            run,
        }
    }

    /// The same with other pairs.
    pub(crate) const fn pairs(mut self, pairs: &'static [Drivers]) -> Self {
        self.pairs = pairs;
        self
    }

    /// The same with all its pairs in every run.
    pub(crate) const fn every_pair(mut self) -> Self {
        self.every_pair = true;
        self
    }

    /// The same in every third run only, unless all pairs are wanted: it is long, and of trouble
    /// that changes seldom touch.
    pub(crate) const fn by_turns(mut self) -> Self {
        self.by_turns = true;
        self
    }

    /// The same for the debug kernel only.
    pub(crate) const fn debug_only(mut self) -> Self {
        self.only = Some(Kernel::Debug);
        self
    }

    /// The same for the stock kernel only: a node of ours gets the C module in between, of which
    /// the debug kernel complains.
    pub(crate) const fn stock_only(mut self) -> Self {
        self.only = Some(Kernel::Stock);
        self
    }

    /// The same for those who ask for it by name.
    pub(crate) const fn on_demand(mut self) -> Self {
        self.on_demand = true;
        self
    }

    /// The same on machines with more memory, in MiB.
    pub(crate) const fn memory(mut self, mib: u32) -> Self {
        self.mem_mib = mib;
        self
    }

    /// Whether it can run with this kernel.
    pub(crate) fn runs_with(&self, kernel: Kernel) -> bool {
        self.only.is_none_or(|only| only == kernel)
    }

    /// The same with another limit.
    pub(crate) const fn limit(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }
}
