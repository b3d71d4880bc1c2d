// SPDX-License-Identifier: GPL-2.0

//! What to run: a seed, or a part of one.
//!
//! Written as `SEED[:ACTIONS][@UNTIL][~DELAYS]`, as in `208:3,17@40~2`: of seed 208 only the
//! actions 3 and 17, the faults are over after action 40, and how long things take comes from other
//! chance, the second. A failure's replay is named like that.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// All chance comes from it.
    pub seed: u64,
    /// Only these of the seed's actions, by number; all if `None`.
    pub only: Option<BTreeSet<u32>>,
    /// How many actions come before the faults are over; as many as the seed wants if `None`.
    pub until: Option<u32>,
    /// Which chance makes the delays; 0 is the seed's own.
    pub delays: u32,
}

impl Plan {
    /// All of a seed.
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// The seed of all that is not an action's.
    pub fn world_seed(&self) -> u64 {
        self.seed ^ u64::from(self.delays).rotate_left(40)
    }

    /// Whether the action of that number is taken.
    pub fn takes(&self, action: u32) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&action))
    }

    /// Whether the faults are over before the action of that number.
    pub fn ends_before(&self, action: u32) -> bool {
        self.until.is_some_and(|until| action >= until)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        for (n, action) in self.only.iter().flatten().enumerate() {
            write!(f, "{}{action}", if n == 0 { ':' } else { ',' })?;
        }
        if self.only.as_ref().is_some_and(|only| only.is_empty()) {
            write!(f, ":")?;
        }
        if let Some(until) = self.until {
            write!(f, "@{until}")?;
        }
        match self.delays {
            0 => Ok(()),
            delays => write!(f, "~{delays}"),
        }
    }
}

impl FromStr for Plan {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, delays) = match text.split_once('~') {
            Some((rest, delays)) => (rest, delays.parse()?),
            None => (text, 0),
        };
        let (rest, until) = match rest.split_once('@') {
            Some((rest, until)) => (rest, Some(until.parse()?)),
            None => (rest, None),
        };
        let (seed, only) = match rest.split_once(':') {
            Some((seed, "")) => (seed, Some(BTreeSet::new())),
            Some((seed, only)) => (
                seed,
                Some(only.split(',').map(str::parse).collect::<Result<_, _>>()?),
            ),
            None => (rest, None),
        };
        Ok(Self {
            seed: seed.parse()?,
            only,
            until,
            delays,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn a_plan_is_read_as_it_is_written() {
        for text in ["7", "7:", "208:3,17", "208:3,17@40", "1@0", "1@0~3", "7~1"] {
            let plan: Plan = text.parse().expect(text);
            assert_eq!(plan.to_string(), text);
        }
        for text in ["", "x", "7:x", "7@", "7:1,@3", "7~"] {
            assert!(text.parse::<Plan>().is_err(), "{text}");
        }
    }
}
