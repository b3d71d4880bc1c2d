// SPDX-License-Identifier: GPL-2.0

//! `fence-peer` and `unfence-peer`: handlers for a cluster of Pacemaker.

use crate::{
    cli::fence::{
        Fence,
        Which, //
    },
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    pacemaker::{
        cib::{
            Ban,
            Cib,
            Standing, //
        },
        commands::{
            self,
            log, //
        },
        disks::Disks,
        judge::{
            judge,
            Answer,
            Facts,
            Step, //
        }, //
    },
};
use anyhow::{
    anyhow,
    Context,
    Result, //
};
use std::{
    fs, thread,
    time::{
        Duration,
        Instant, //
    },
};

/// Until the cluster is asked again: first, and at most. Who asks too often keeps those from their
/// work who are to fence the peer.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));

/// What a call is about.
struct Call<'a> {
    which: &'a Which,
    resource: &'a str,
    own: String,
}

/// Answers the kernel by its exit code.
pub(crate) fn fence(args: &Fence) -> Outcome {
    let answer = Call::new(&args.which)?
        .fence(Duration::from_secs(args.timeout))
        .unwrap_or_else(|error| {
            log(&format!("fence-peer: {error:#}; what is frozen stays so"));
            Answer::Unknown
        });
    Ok(Exit::Child(answer.number()))
}

/// Takes the constraint away when both sides are good again.
pub(crate) fn unfence(which: &Which) -> Outcome {
    Call::new(which)?.unfence().map_err(Failure::Other)?;
    Ok(Exit::Success)
}

impl<'a> Call<'a> {
    fn new(which: &'a Which) -> Result<Self, Failure> {
        let Some(resource) = which.resource.as_deref() else {
            return Err(Failure::invalid(
                "no resource is named",
                "this is a handler: let drbd.conf call it, or give --resource and --minor",
            ));
        };
        let own = rustix::system::uname();
        Ok(Self {
            which,
            resource,
            own: own.nodename().to_string_lossy().into_owned(),
        })
    }

    fn fence(&self, patience: Duration) -> Result<Answer> {
        let begin = Instant::now();
        let (mut pause, longest) = PAUSES;
        loop {
            let late = begin.elapsed() >= patience;
            match self.look(late) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                // While a coordinator is elected, nobody answers.
                Err(error) if late => return Err(error),
                Err(_) => {}
            }
            thread::sleep(pause);
            pause = (pause * 2).min(longest);
        }
    }

    /// One look at the cluster, with an answer when it is enough for one.
    fn look(&self, late: bool) -> Result<Option<Answer>> {
        let cib = commands::query()?;
        let clone = self.clone_in(&cib)?;
        let peer = self.peer_in(&cib)?;
        let standing = cib.standing_of(peer);
        let disks = self.disks()?;
        let step = judge(Facts {
            disks,
            peer: standing,
            peer_answers: standing == Standing::Online && commands::answers(peer),
            only: cib
                .ban_of(self.resource, clone)
                .map(|ban| ban.only.as_str()),
            own: &self.own,
            fences: cib.fences,
            late,
        });
        let what = format!(
            "fence-peer of {}: the cluster takes {peer} for {standing:?}",
            self.resource
        );
        match step {
            Step::Wait => Ok(None),
            Step::Tell(answer) => {
                log(&format!(
                    "{what}; the answer is {answer:?} ({})",
                    answer.number()
                ));
                Ok(Some(answer))
            }
            Step::Ban(answer) => {
                let ban = Ban::new(self.resource, clone, &self.own);
                commands::place(&ban)?;
                let number = answer.number();
                log(&format!(
                    "{what}; placed {}, the answer is {answer:?} ({number})",
                    ban.id
                ));
                self.unless_back(&ban, answer).map(Some)
            }
        }
    }

    /// The link may have come back while the constraint was on its way.
    fn unless_back(&self, ban: &Ban, answer: Answer) -> Result<Answer> {
        if !self.disks()?.peer_is_good {
            return Ok(answer);
        }
        commands::remove(ban)?;
        log(&format!("the peer is back already; removed {}", ban.id));
        Ok(Answer::Unknown)
    }

    fn unfence(&self) -> Result<()> {
        let cib = commands::query()?;
        let clone = self.clone_in(&cib)?;
        let Some(ban) = cib.ban_of(self.resource, clone) else {
            return Ok(());
        };
        let disks = self.disks()?;
        if !disks.here_is_good || !disks.peer_is_good {
            return Err(anyhow!("not all disks are UpToDate: {} stays", ban.id));
        }
        commands::remove(ban)?;
        log(&format!("both disks are UpToDate; removed {}", ban.id));
        Ok(())
    }

    fn clone_in<'c>(&'c self, cib: &'c Cib) -> Result<&'c str> {
        let given = self.which.clone_id.as_deref();
        given
            .or_else(|| cib.clone_of(self.resource))
            .with_context(|| {
                format!(
                    "no clone of the cluster has drbd_resource={}: name it with --clone-id",
                    self.resource
                )
            })
    }

    fn peer_in<'c>(&'c self, cib: &'c Cib) -> Result<&'c str> {
        let given = self.which.peer.as_deref();
        given
            .filter(|peer| cib.has_node(peer))
            .or_else(|| cib.only_other(&self.own))
            .context("which node is the peer? None of the cluster has its name: give --peer")
    }

    fn disks(&self) -> Result<Disks> {
        let path = &self.which.states;
        let proc =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let minors: Vec<u32> = self
            .which
            .minor
            .split_whitespace()
            .filter_map(|minor| minor.parse().ok())
            .collect();
        Disks::read(&proc, &minors).with_context(|| {
            format!(
                "the minors '{}' are not in {}",
                self.which.minor,
                path.display()
            )
        })
    }
}
