// SPDX-License-Identifier: GPL-2.0

//! Many processes on both nodes fire commands at random at four resources, while the link flaps and
//! disks fail. No command hangs, no state is one that the rules forbid, and afterwards everything
//! can be taken down, set up anew and synced. `make chaos-commands` does it for five minutes.

use std::{
    env,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure, Context, Result};
use vm::{side::Side, Link};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("commands_never_hang", run)
    .pairs(&[TANDEM])
    .limit(900)
    .on_demand();

/// What runs in the guests.
const PROGRAM: &str = include_str!("../../guest/chaos.sh");

/// Where it is there.
const PLACE: &str = "/run/chaos.sh";

/// Processes that fire commands, on each node.
const PROCESSES: u32 = 16;

/// Names the seconds that it takes, where 10 are too few.
const SECONDS: &str = "CHAOS_SECONDS";

/// The longest that commands may take to end by themselves afterwards, and to take all down.
const TO_END: Duration = Duration::from_secs(200);

/// How the link flaps, in milliseconds; longer up than down, as nothing happens to a connection
/// that never comes.
const FLAPS: &[(Link, u64)] = &[(Link::Up, 3000), (Link::Down, 700)];

fn run(pair: &Pair<'_>) -> Result<()> {
    let wanted = env::var(SECONDS).ok();
    let seconds = match &wanted {
        Some(text) => text.parse().context(SECONDS)?,
        None => 10,
    };
    for (side, peer) in [(pair.a, pair.b), (pair.b, pair.a)] {
        side.write_file(PLACE, PROGRAM.as_bytes())?;
        let addresses = format!("{} {}", side.address(), peer.address());
        side.ok(&format!("rm -rf /run/chaos; bash {PLACE} prepare {addresses}"))?;
    }
    chaos(pair, seconds)?;
    for side in [pair.a, pair.b] {
        let wrong = side.ok_within(&format!("bash {PLACE} end"), TO_END)?;
        ensure!(wrong.is_empty(), "node {}: {wrong}", side.name());
        let ended = side.ok("cat /run/chaos/ended")?;
        println!("{}", counts(side.name(), &ended));
        if wanted.is_some() {
            println!("{ended}");
        }
    }
    for side in [pair.a, pair.b] {
        side.ok("/payload/one-cpu rmmod tandem && dmsetup remove_all && /payload/load-driver")?;
    }
    pair.in_sync()?;
    who_waits_behind_another_can_be_killed(pair)
}

/// A command waits for a silent peer; another one, which waits for its turn, does not have to.
fn who_waits_behind_another_can_be_killed(pair: &Pair<'_>) -> Result<()> {
    pair.b.mute(&pair.a)?;
    pair.a.ok("(tandem setup invalidate-remote 0; echo done >/run/chaos/first) >/dev/null 2>&1 &
        until grep -q ' command ' /sys/kernel/debug/tandem/waiting; do :; done
        timeout -s KILL 1 tandem setup resource-options r0
        [ $? = 137 ] && [ ! -e /run/chaos/first ]")?;
    pair.b.quick_link(&pair.a)?;
    pair.a.await_in("tail -n +1 -F /run/chaos/first", "done", TO_END).map(drop)
}

/// Everything at once, for so many seconds.
fn chaos(pair: &Pair<'_>, seconds: u64) -> Result<()> {
    let node = |side: Side<'_>, seed| {
        let command = format!("bash {PLACE} run {PROCESSES} {seconds} {seed}");
        side.ok_within(&command, Duration::from_secs(seconds) + TO_END)
    };
    let (done, over) = mpsc::channel();
    thread::scope(|scope| {
        let nodes = [(pair.a, 1), (pair.b, 2)].map(|(side, seed)| {
            let done = done.clone();
            scope.spawn(move || {
                let result = node(side, seed);
                let _ = done.send(());
                result.map(drop)
            })
        });
        let begin = Instant::now();
        for (link, millis) in FLAPS.iter().cycle() {
            pair.cable(*link)?;
            let ended = over.recv_timeout(Duration::from_millis(*millis)).is_ok();
            if ended || begin.elapsed().as_secs() >= seconds {
                break;
            }
        }
        pair.cable(Link::Up)?;
        nodes.into_iter().try_for_each(|node| {
            node.join()
                .unwrap_or_else(|_| Err(anyhow!("it panicked")))
        })
    })
}

/// How many commands ran, and how many were done.
fn counts(node: &str, ended: &str) -> String {
    let (mut all, mut done) = (0, 0);
    for line in ended.lines() {
        let mut words = line.split_whitespace();
        let count: u32 = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        all += count;
        if words.nth(1) == Some("0") {
            done += count;
        }
    }
    format!("#     node {node}: {all} commands, {done} of them with success")
}
