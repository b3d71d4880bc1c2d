// SPDX-License-Identifier: GPL-2.0

//! The netlink fuzzer: messages of a tool that lies, as root and as nobody.

mod message;
mod socket;

use std::{
    fs,
    process::{Child, Command as Program, Stdio},
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Mutex, PoisonError,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail, ensure, Context, Result};
use fastrand::Rng;
use tandem_engine::control::{CfgContext, Command};
use tandem_netlink::{Connection, Request};

use crate::{
    admin::Resource,
    batch::{give_up, note, Plan, SEEDS},
    judge,
    tally::Tally,
    watch::{self, bounded},
    wire::{worker::Worker, SECRET},
};

use self::{message::draw, socket::Socket};

/// Threads that send as root, and processes that send as nobody.
const THREADS: u64 = 4;
const NOBODIES: u64 = 2;

/// After so many messages of a thread everything that was made is taken down.
const TO_CLEAN: u64 = 400;

/// How often states are judged meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// The number of "not permitted".
const EPERM: i32 = 1;

/// Runs a batch: messages of root and of nobody beside each other. Afterwards everything is taken
/// down, and a resource has to work.
///
/// # Errors
///
/// What the module did that it must not. What hangs ends the process, with status 3.
pub fn run(plan: Plan) -> Result<Tally> {
    let resources: Vec<Resource> = (0..THREADS as u32).map(Resource::numbered).collect();
    let places = || resources.iter().flat_map(|resource| &resource.places);
    for place in places() {
        place.make()?;
        place.create_md()?;
    }
    let nobodies = nobodies(plan)?;
    let tally = Mutex::new(Tally::default());
    let (stop, running) = (AtomicBool::new(false), AtomicU64::new(THREADS));
    let result = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (resources, tally, stop, running) = (&resources, &tally, &stop, &running);
                scope.spawn(move || {
                    let seeds = seeds(plan, thread, THREADS);
                    let result = root(resources, seeds, thread == 0, stop);
                    running.fetch_sub(1, Ordering::AcqRel);
                    let mut all = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    result.map(|own| all.merge(&own))
                })
            })
            .collect();
        let judged = supervise(plan, &stop, &running);
        stop.store(true, Ordering::Release);
        threads.into_iter().fold(judged, |all, thread| {
            all.and(
                thread
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a thread panicked"))),
            )
        })
    });
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    for nobody in nobodies {
        tally.merge(&ended(nobody)?);
    }
    result?;
    clean()?;
    Worker::new(0)?.works()?;
    for place in places() {
        place.check()?;
        place.remove()?;
    }
    Ok(tally)
}

fn seeds(plan: Plan, thread: u64, threads: u64) -> impl Iterator<Item = u64> {
    (plan.start + thread..plan.start + plan.count).step_by(threads as usize)
}

fn supervise(plan: Plan, stop: &AtomicBool, running: &AtomicU64) -> Result<()> {
    let end = Instant::now() + plan.time;
    while running.load(Ordering::Acquire) > 0 {
        if let Some(hung) = watch::overdue(plan.patience) {
            give_up(&hung);
        }
        judge::states()?;
        if Instant::now() > end {
            stop.store(true, Ordering::Release);
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Sends as root. Every message is answered; what is wrong with it is not judged here.
fn root(
    resources: &[Resource],
    seeds: impl Iterator<Item = u64>,
    cleans: bool,
    stop: &AtomicBool,
) -> Result<Tally> {
    let family = Connection::open()?.family().id;
    let mut socket = Socket::open()?;
    let mut tally = Tally::default();
    for (sent, seed) in (1..).zip(seeds) {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let message = draw(&mut Rng::with_seed(seed), resources);
        let what = format!("message {seed}, {:?}", message.known());
        if sent % 100 == 1 {
            note(&what);
        }
        let answer = bounded(&what, || socket.ask(|number| message.bytes(family, number)))
            .with_context(|| what.clone())?;
        tally.add("messages", 1);
        tally.add(SEEDS, 1);
        let name = message.known().map_or("unknown", Command::as_str);
        match answer.code {
            0 => tally.add(&format!("answered {name}"), 1),
            code => tally.add(&format!("error {}", -code), 1),
        }
        if message.honest && message.known().is_some_and(Command::needs_admin) {
            ensure!(
                answer.code == 0 && answer.messages > 0,
                "{what}: {}",
                answer.code
            );
        }
        if cleans && sent % TO_CLEAN == 0 {
            clean()?;
        }
    }
    Ok(tally)
}

/// Takes down all that there is, whatever its name.
fn clean() -> Result<()> {
    let mut connection = Connection::open()?;
    // What others make meanwhile stays until the next time.
    for _ in 0..2 {
        let all = bounded("the list of resources", || {
            connection.dump(&Request::new(Command::GetResources))
        })?;
        for resource in all {
            let Some(context) = resource.block::<CfgContext>()? else {
                bail!("a resource without a name");
            };
            let minors = bounded("the list of devices", || {
                connection.dump(&Request::new(Command::GetDevices).context(&context))
            })?;
            for device in minors {
                let resume = Request::for_minor(Command::ResumeIo, device.minor());
                let _ = bounded("resume-io", || connection.request(&resume));
            }
            let down = Request::new(Command::Down).context(&context);
            let _ = bounded("down", || connection.request(&down));
        }
    }
    Ok(())
}

/// Starts those who send as nobody.
fn nobodies(plan: Plan) -> Result<Vec<Child>> {
    (0..NOBODIES)
        .map(|number| {
            let own = fs::read_link("/proc/self/exe")?;
            let start = plan.start + plan.count * (number + 1);
            Program::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
                .arg(own)
                .arg(format!("--start={start}"))
                .arg(format!("--count={}", plan.count))
                .arg(format!("--seconds={}", plan.time.as_secs()))
                .arg(format!("--patience={}", plan.patience.as_secs()))
                .arg("nobody")
                .stdout(Stdio::piped())
                .spawn()
                .context("cannot run setpriv")
        })
        .collect()
}

fn ended(nobody: Child) -> Result<Tally> {
    let output = bounded("the end of nobody's messages", || nobody.wait_with_output())?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "as nobody: {said}");
    Ok(Tally::parse(&said))
}

/// Sends as a user without any right: nothing is done for it, and no secret is told.
///
/// # Errors
///
/// What the module did for it.
pub fn run_as_nobody(plan: Plan) -> Result<Tally> {
    let resources: Vec<Resource> = (0..THREADS as u32).map(Resource::numbered).collect();
    let end = Instant::now() + plan.time;
    let family = Connection::open()?.family().id;
    let mut socket = Socket::open()?;
    let mut tally = Tally::default();
    for seed in seeds(plan, 0, 1) {
        if Instant::now() > end {
            break;
        }
        let message = draw(&mut Rng::with_seed(seed), &resources);
        let what = format!("message {seed}, {:?}", message.known());
        let answer = socket
            .ask(|number| message.bytes(family, number))
            .with_context(|| what.clone())?;
        tally.add("messages of nobody", 1);
        if message.known().is_some_and(Command::needs_admin) {
            tally.add("refused to nobody", 1);
            ensure!(
                answer.code < 0 && answer.messages == 0,
                "{what} was done for nobody"
            );
            ensure!(
                answer.code == -EPERM || !message.honest,
                "{what}: {}",
                answer.code
            );
        }
        let told = answer
            .bytes
            .windows(SECRET.len())
            .any(|part| part == SECRET);
        ensure!(!told, "{what} told nobody a secret");
    }
    Ok(tally)
}
