// SPDX-License-Identifier: GPL-2.0

//! Runs handlers: the administrator's programs that are told of events.
//!
//! One thread of the resource runs them one by one, in the order of the calls; another one runs
//! `fence-peer`, which must not wait behind a slow one. No lock is held meanwhile, so a handler may
//! use the tools. Nothing waits for ever for one that does not come back: a resource goes without
//! it, and the module stays loaded until it has come back.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::ids::Instant;
use crate::engine::resource::{
    Call,
    Event,
    Handler, //
};
use crate::notify;
use crate::resource::Resource;
use crate::ring::Ring;
use crate::sys::helper;
use crate::sys::lock::{
    Mutex,
    SpinLock, //
};
use crate::sys::log::Level;
use crate::sys::params;
use crate::sys::pin::ModulePin;
use crate::sys::signal::{
    Signal,
    WaitQueue, //
};
use crate::sys::socket::Address;
use crate::sys::thread::Thread;
use crate::words;

/// Calls that may wait for their turn.
const CALLS: usize = 256;

/// How long a thread sleeps when nothing wakes it, in milliseconds.
const IDLE_MS: u32 = 60_000;

/// How long a resource that goes waits for its handlers, in milliseconds.
const SETTLE_MS: u32 = 30_000;

/// One call.
#[derive(Clone, Copy)]
struct Job {
    call: Call,
    /// The volume's number; `None` for the resource.
    volume: Option<u16>,
    handler: Handler,
}

/// A handler that runs.
#[derive(Clone, Copy)]
pub struct Running {
    /// The volume's number; `None` for the resource.
    pub volume: Option<u16>,
    /// Which one.
    pub handler: Handler,
    /// Since when.
    pub since: Instant,
    /// How many calls wait for their turn after it.
    pub queued: usize,
}

/// What a runner has to do.
struct Work {
    jobs: Ring<Job>,
    running: Option<(Job, Instant)>,
    stopping: bool,
}

impl Work {
    fn is_idle(&self) -> bool {
        self.running.is_none() && (self.stopping || self.jobs.is_empty())
    }
}

/// Runs calls one by one.
struct Runner {
    work: SpinLock<Work>,
    wake: Signal,
    /// It may be idle.
    rests: WaitQueue,
    thread: Mutex<Option<Thread>>,
}

impl Runner {
    fn new() -> Result<Self> {
        let work = Work {
            jobs: Ring::new(CALLS)?,
            running: None,
            stopping: false,
        };
        Ok(Self {
            work: crate::spinlock!(work, c"tandem_handlers")?,
            wake: Signal::new()?,
            rests: WaitQueue::new()?,
            thread: crate::mutex!(None, c"tandem_handler")?,
        })
    }

    fn start(&self, resource: &Arc<Resource>, fencing: bool) -> Result {
        let of = resource.clone();
        let name = if fencing { "f" } else { "h" };
        let thread = Thread::spawn(
            &resource.crew,
            fmt!("drbd_{}_{}", name, resource.name_str()),
            move || of.handlers.of_kind(fencing).run_all(&of),
        )?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    fn run_all(&self, resource: &Arc<Resource>) {
        while !self.is_stopping() {
            match self.begin() {
                Some(job) => {
                    run(resource, job);
                    self.work.lock().running = None;
                    self.rests.wake_all();
                }
                None => drop(self.wake.wait_timeout(IDLE_MS)),
            }
        }
    }

    fn begin(&self) -> Option<Job> {
        let mut work = self.work.lock();
        if work.stopping {
            return None;
        }
        let job = work.jobs.pop()?;
        work.running = Some((job, Device::now()));
        Some(job)
    }

    fn is_stopping(&self) -> bool {
        self.work.lock().stopping
    }

    fn is_idle(&self) -> bool {
        self.work.lock().is_idle()
    }

    fn settle(&self) -> Result {
        self.rests
            .wait_until_killable_timeout(SETTLE_MS, || self.is_idle())
            .map(drop)
    }

    fn stop(&self) {
        self.work.lock().stopping = true;
        self.wake.raise();
    }

    fn join(&self) {
        drop(self.thread.lock().take());
    }

    fn running(&self) -> Option<Running> {
        let work = self.work.lock();
        work.running.map(|(job, since)| Running {
            volume: job.volume,
            handler: job.handler,
            since,
            queued: work.jobs.len(),
        })
    }
}

/// The handlers of one resource.
pub struct Handlers {
    ordinary: Runner,
    fencing: Runner,
}

impl Handlers {
    /// Allocates the queues. May sleep.
    pub fn new() -> Result<Self> {
        Ok(Self {
            ordinary: Runner::new()?,
            fencing: Runner::new()?,
        })
    }

    /// Starts the threads. May sleep.
    pub fn start(&self, resource: &Arc<Resource>) -> Result {
        self.ordinary.start(resource, false)?;
        self.fencing.start(resource, true)
    }

    /// Waits until all that were called have come back, or for so long that they may never. May
    /// sleep.
    ///
    /// Errors: `EINTR` when the task is killed.
    pub fn settle(&self) -> Result {
        self.ordinary.settle()?;
        self.fencing.settle()
    }

    /// No handler begins from now on.
    pub fn stop(&self) {
        self.ordinary.stop();
        self.fencing.stop();
    }

    /// Whether none runs, and none is going to.
    pub fn is_idle(&self) -> bool {
        self.ordinary.is_idle() && self.fencing.is_idle()
    }

    /// Waits for those that run, and for the threads, which were told to stop. May sleep, for as
    /// long as a handler does.
    pub fn join(&self) {
        self.ordinary.join();
        self.fencing.join();
    }

    /// Those that run.
    pub fn running(&self) -> impl Iterator<Item = Running> {
        [self.ordinary.running(), self.fencing.running()]
            .into_iter()
            .flatten()
    }

    fn of_kind(&self, fencing: bool) -> &Runner {
        if fencing {
            &self.fencing
        } else {
            &self.ordinary
        }
    }

    /// Queues a call; false if there is no place. Doesn't sleep.
    pub fn queue(&self, call: Call, volume: Option<u16>, handler: Handler) -> bool {
        let runner = self.of_kind(handler == Handler::FencePeer);
        let job = Job {
            call,
            volume,
            handler,
        };
        let queued = runner.work.lock().jobs.push(job);
        runner.wake.raise();
        queued
    }
}

fn run(resource: &Arc<Resource>, job: Job) {
    // Nothing is called any more when the module goes.
    let Some(_pin) = ModulePin::new() else {
        return;
    };
    let device = match job.volume {
        Some(number) => match resource.link.device(number) {
            Some(device) => Some(device),
            // Gone since.
            None => return,
        },
        None => None,
    };
    let status = call(resource, device.as_ref(), job.handler).unwrap_or_else(|error| {
        resource.log(format_args!(
            "handler {} was not run: {}",
            job.handler.as_str(),
            words::of_error(error)
        ));
        0
    });
    // A resource that is gone has nothing more to decide, or to tell.
    if job.call != Call::UNHEARD && resource.driver.has_resource(resource) {
        let call = job.call;
        resource.post(Event::HandlerDone { call, status });
        resource.handled.raise();
    }
}

/// Runs one handler and waits for it; its exit code. One that cannot be started counts as 0, as
/// with the C module.
fn call(resource: &Arc<Resource>, device: Option<&Arc<Device>>, handler: Handler) -> Result<u8> {
    let mut path = [0; params::PATH_MAX];
    let path = params::usermode_helper(&mut path);
    let program = path.to_str().unwrap_or("?");
    let name = CString::try_from_fmt(fmt!("{}", handler.as_str()))?;
    let subject = match device {
        Some(device) => CString::try_from_fmt(fmt!("minor-{}", device.minor))?,
        None => CString::try_from_fmt(fmt!("{}", resource.name_str()))?,
    };
    const ALWAYS: [&CStr; 3] = [
        c"HOME=/",
        c"TERM=linux",
        c"PATH=/sbin:/usr/sbin:/bin:/usr/bin",
    ];
    let [home, term, programs] = ALWAYS;
    let peer = resource.addresses().1.map(variables).transpose()?;
    let with_peer = peer
        .as_ref()
        .map(|(family, address)| [home, term, programs, family, address]);
    let environment = with_peer.as_ref().map_or(&ALWAYS[..], |all| &all[..]);
    let what = subject.to_str().unwrap_or("?");
    let word = handler.as_str();
    notify::helper_called(resource, device, word);
    log(
        resource,
        device,
        Level::Info,
        format_args!("helper command: {program} {word} {what}"),
    );
    let ended = helper::run(path, &[path, &name, &subject], environment);
    let status = ended.unwrap_or(0);
    let level = if status == 0 {
        Level::Info
    } else {
        Level::Warning
    };
    match ended {
        Ok(status) => log(
            resource,
            device,
            level,
            format_args!(
                "helper command: {program} {word} {what} exit code {status} (0x{:x})",
                u32::from(status) << 8
            ),
        ),
        Err(error) => log(
            resource,
            device,
            Level::Warning,
            format_args!(
                "helper command: {program} {word} {what} was not run: {}; it counts as exit code 0",
                words::of_error(error)
            ),
        ),
    }
    // Listeners are told as the C module tells them: what the kernel's call gave back.
    let raw = match ended {
        Ok(status) => u32::from(status) << 8,
        Err(error) => error.to_errno() as u32,
    };
    if resource.driver.has_resource(resource) {
        notify::helper_returned(resource, device, word, raw);
    }
    Ok(status)
}

/// How handlers are told of the peer: two variables of the environment.
fn variables(peer: Address) -> Result<(CString, CString)> {
    let family = if peer.is_v6() { "ipv6" } else { "ipv4" };
    Ok((
        CString::try_from_fmt(fmt!("DRBD_PEER_AF={}", family))?,
        CString::try_from_fmt(fmt!("DRBD_PEER_ADDRESS={}", Host(&peer)))?,
    ))
}

/// The host's part of an address, as people write it.
struct Host<'a>(&'a Address);

impl kernel::fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        let host = self.0.host();
        if !self.0.is_v6() {
            for (at, byte) in host.iter().enumerate() {
                let dot = if at == 0 { "" } else { "." };
                write!(f, "{}{}", dot, byte)?;
            }
            return Ok(());
        }
        for (at, pair) in host.chunks(2).enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            let number = pair
                .iter()
                .fold(0u16, |n, byte| (n << 8) | u16::from(*byte));
            write!(f, "{}{:x}", colon, number)?;
        }
        Ok(())
    }
}

fn log(
    resource: &Resource,
    device: Option<&Arc<Device>>,
    level: Level,
    line: core::fmt::Arguments<'_>,
) {
    match device {
        Some(device) => notify::log_device(level, device, line),
        None => notify::log(level, resource.name_str(), line),
    }
}
