// SPDX-License-Identifier: GPL-2.0

//! What a Primary that lost its peer is to be told.

use super::{
    cib::Standing,
    disks::Disks, //
};

/// Exit codes of a fence-peer handler, as the kernel understands them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The peer's disk is of no use anyway.
    Useless = 3,
    /// The peer lives and cannot be promoted: its disk counts as outdated.
    Outdated = 4,
    /// The peer cannot be reached and may be taken for dead. A node whose own disk is not good
    /// does nothing then.
    Unreachable = 5,
    /// The peer's data is the good one: this node has to call its own outdated.
    Yield = 6,
    /// The peer was fenced.
    Fenced = 7,
    /// Nothing is known: what is frozen stays so.
    Unknown = 1,
}

impl Answer {
    /// The number that the kernel sees.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Answer, without a change of the cluster.
    Tell(Answer),
    /// Forbid the peer's promotion, and answer so when that has worked.
    Ban(Answer),
    /// Look again later.
    Wait,
}

/// What is known when a decision is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The disks.
    pub(crate) disks: Disks,
    /// What Pacemaker believes of the peer.
    pub(crate) peer: Standing,
    /// The peer itself has answered just now.
    pub(crate) peer_answers: bool,
    /// The only node that may be promoted by a constraint that is there already.
    pub(crate) only: Option<&'a str>,
    /// This node.
    pub(crate) own: &'a str,
    /// Pacemaker fences nodes.
    pub(crate) fences: bool,
    /// The time to wait is over.
    pub(crate) late: bool,
}

/// The next step.
pub(crate) fn judge(facts: Facts<'_>) -> Step {
    let disks = facts.disks;
    match facts.only {
        // Placed by an earlier call.
        Some(only) if only == facts.own => return Step::Tell(Answer::Outdated),
        // The peer was quicker.
        Some(_) => return Step::Tell(Answer::Yield),
        None if disks.peer_is_useless => return Step::Tell(Answer::Useless),
        None => {}
    }
    match facts.peer {
        Standing::Online if facts.peer_answers && disks.here_is_whole => {
            Step::Ban(Answer::Outdated)
        }
        Standing::Out if disks.here_is_good => Step::Ban(Answer::Fenced),
        // That the peer is dead makes the data here no better.
        Standing::Out => Step::Tell(Answer::Unreachable),
        _ if !facts.late => Step::Wait,
        // Somebody who will be fenced is not dead yet: it may be writing.
        _ if facts.fences => Step::Tell(Answer::Unknown),
        _ if disks.here_is_good => Step::Ban(Answer::Unreachable),
        _ => Step::Tell(Answer::Unreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Disks = Disks {
        here_is_good: true,
        here_is_whole: true,
        peer_is_good: false,
        peer_is_useless: false,
    };
    const WHOLE: Disks = Disks {
        here_is_good: false,
        ..GOOD
    };
    const LOST: Facts<'static> = Facts {
        disks: GOOD,
        peer: Standing::Lost,
        peer_answers: false,
        only: None,
        own: "a",
        fences: true,
        late: false,
    };

    #[test]
    fn a_peer_that_was_fenced_is_7_when_the_own_disk_is_good() {
        let out = Facts {
            peer: Standing::Out,
            ..LOST
        };
        assert_eq!(judge(out), Step::Ban(Answer::Fenced));
        let whole = Facts {
            disks: WHOLE,
            ..out
        };
        assert_eq!(judge(whole), Step::Tell(Answer::Unreachable));
    }

    #[test]
    fn a_peer_that_answers_is_4() {
        let online = Facts {
            peer: Standing::Online,
            peer_answers: true,
            ..LOST
        };
        assert_eq!(judge(online), Step::Ban(Answer::Outdated));
        let whole = Facts {
            disks: WHOLE,
            ..online
        };
        assert_eq!(judge(whole), Step::Ban(Answer::Outdated));
    }

    #[test]
    fn a_peer_that_is_believed_online_and_does_not_answer_is_waited_for() {
        let silent = Facts {
            peer: Standing::Online,
            ..LOST
        };
        assert_eq!(judge(silent), Step::Wait);
    }

    #[test]
    fn nothing_is_assumed_while_a_peer_is_to_be_fenced() {
        assert_eq!(judge(LOST), Step::Wait);
        let late = Facts { late: true, ..LOST };
        assert_eq!(judge(late), Step::Tell(Answer::Unknown));
    }

    #[test]
    fn without_fencing_a_peer_that_is_long_gone_is_5() {
        let late = Facts {
            late: true,
            fences: false,
            ..LOST
        };
        assert_eq!(judge(late), Step::Ban(Answer::Unreachable));
        let whole = Facts {
            disks: WHOLE,
            ..late
        };
        assert_eq!(judge(whole), Step::Tell(Answer::Unreachable));
    }

    #[test]
    fn whoever_placed_the_constraint_goes_on_and_the_other_yields() {
        let ours = Facts {
            only: Some("a"),
            ..LOST
        };
        assert_eq!(judge(ours), Step::Tell(Answer::Outdated));
        let theirs = Facts {
            only: Some("b"),
            ..LOST
        };
        assert_eq!(judge(theirs), Step::Tell(Answer::Yield));
    }

    #[test]
    fn a_peer_whose_disk_is_of_no_use_is_3() {
        let useless = Facts {
            disks: Disks {
                peer_is_useless: true,
                ..GOOD
            },
            ..LOST
        };
        assert_eq!(judge(useless), Step::Tell(Answer::Useless));
    }
}
