// SPDX-License-Identifier: GPL-2.0

//! Who may be Primary of a resource. A node is promoted only when the other one is certainly not
//! Primary and has nothing that it lacks, so nothing that happens to links and disks makes a split
//! brain, and each split brain that is seen is a fault.

use crate::plan::Node;

/// One resource's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    /// The only one that may be promoted.
    primary: Node,
    /// Whether it has been demoted since it was promoted last, so that nobody is Primary.
    is_demoted: bool,
}

impl Roles {
    /// Nobody is Primary, and both nodes have the same data.
    pub(crate) fn new(primary: Node) -> Self {
        Self {
            primary,
            is_demoted: true,
        }
    }

    /// The only node that may be promoted, or is Primary.
    pub(crate) fn primary(&self) -> Node {
        self.primary
    }

    /// It is told to become Primary: from now on it may be, also if the command fails.
    pub(crate) fn promote(&mut self) -> Node {
        self.is_demoted = false;
        self.primary
    }

    /// It has become Secondary.
    pub(crate) fn was_demoted(&mut self) {
        self.is_demoted = true;
    }

    /// The other node sees both to be Secondary, connected and with good disks: whoever writes next
    /// begins with all that there is. From now on it is the other one that may be promoted.
    ///
    /// False if this one was not demoted before: what was seen is old then.
    pub(crate) fn hand_over(&mut self) -> bool {
        if self.is_demoted {
            self.primary = self.primary.other();
        }
        self.is_demoted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Act, Plan, CHANGES_SIDES};
    use std::time::Duration;

    /// What is really so, whatever commands said of it.
    #[derive(Default)]
    struct Truth {
        is_primary: [bool; 2],
    }

    impl Truth {
        fn promote(&mut self, node: Node) {
            self.is_primary[node as usize] = true;
            assert_ne!(self.is_primary, [true, true], "two Primaries");
        }
    }

    /// A change of sides, where any step may fail: as `resource.rs` does it.
    fn change_sides(roles: &mut Roles, truth: &mut Truth, random: &mut fastrand::Rng) {
        if random.u8(..4) > 0 {
            truth.is_primary[roles.primary() as usize] = false;
            // The command may be killed although it was done.
            if random.u8(..4) == 0 {
                return;
            }
            roles.was_demoted();
        }
        if random.bool() {
            roles.hand_over();
        }
        if random.bool() {
            truth.promote(roles.promote());
        }
    }

    #[test]
    fn no_plan_promotes_both_sides_whatever_fails() {
        for number in 1..=200 {
            let plan = Plan::draw(1, number, Duration::from_secs(60));
            let mut random = fastrand::Rng::with_seed(number);
            let mut roles = Roles::new(plan.primaries[CHANGES_SIDES]);
            let mut truth = Truth::default();
            for step in &plan.steps[CHANGES_SIDES] {
                match step.act {
                    Act::ChangeSides => change_sides(&mut roles, &mut truth, &mut random),
                    // Before anything else the one that is to be Primary is made so.
                    _ => truth.promote(roles.promote()),
                }
            }
        }
    }

    #[test]
    fn nothing_is_handed_over_by_who_may_be_primary() {
        let mut roles = Roles::new(Node::A);
        assert_eq!(roles.promote(), Node::A);
        assert!(!roles.hand_over());
        assert_eq!(roles.primary(), Node::A);
        roles.was_demoted();
        assert!(roles.hand_over());
        assert_eq!(roles.promote(), Node::B);
        assert!(!roles.hand_over());
    }
}
