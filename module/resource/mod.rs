// SPDX-License-Identifier: GPL-2.0

//! One resource: feeds the rare decisions and carries them out.
//!
//! All rare events of a resource go through [`Resource::post`], one at a time, in the context of
//! whoever posts: the receiver, or the resource's worker (for what interrupts found out, and for
//! the administrator's commands). The effects of an event are carried out before the next event is
//! fed. An effect may wait for a disk that hangs: who must not wait for that gives the worker an
//! order ([`Resource::command`]), or looks in between ([`Resource::glance`]).
#![forbid(unsafe_code)]

mod command;
mod decisions;
mod effects;
mod events;
mod orders;
mod worker;

use core::fmt;
use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    AtomicU8,
    Ordering, //
};

use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::Arc;

use crate::device::Device;
use crate::driver::Driver;
use crate::engine::broken::Invariant;
use crate::engine::control::RetCode;
use crate::engine::options::{
    DiskOptions,
    NetOptions,
    ResourceOptions, //
};
use crate::engine::resource::{
    Call,
    Dependency,
    Effect,
    Env,
    Event,
    Token,
    VolumeRecord,
    WriteOrder, //
};
use crate::engine::state::ConnState;
use crate::engine::throttle::Throttle;
use crate::engine::wire::handshake::Agreement;
use crate::handler::Handlers;
use crate::inspect::OfResource;
use crate::link::Link;
use crate::notify;
use crate::outbox::Item;
use crate::receiver::Receiver;
use crate::session::Session;
use crate::sys::clock;
use crate::sys::crew::Crew;
use crate::sys::lock::{
    Mutex,
    SpinLock, //
};
use crate::sys::log::Level;
use crate::sys::pin::ModulePin;
use crate::sys::signal::{
    Signal,
    WaitQueue, //
};
use crate::sys::socket::Address;
use crate::sys::thread::{
    NoIo,
    Thread, //
};
use crate::turn::Turn;

pub use decisions::Core;
use decisions::Queue;
use events::Events;
use orders::Orders;

/// Volumes of one resource.
pub const MAX_VOLUMES: usize = 64;

/// Effects of one event; more is a bug of the engine and reported.
const MAX_EFFECTS: usize = 32 + 32 * MAX_VOLUMES;

/// How often somebody who waits for a handler looks around, in milliseconds.
const HANDLER_LOOK_MS: u32 = 200;

/// One resource.
pub struct Resource {
    /// Its name.
    pub name: CString,
    /// The module.
    pub driver: Arc<Driver>,
    /// One event at a time, until its effects are carried out.
    events: Events,
    /// What commands want of the worker. Taken under `events`, or alone.
    orders: Mutex<Orders>,
    core: Mutex<Core>,
    /// The queues to the peer.
    pub link: Link,
    session: SpinLock<Option<Arc<Session>>>,
    addresses: SpinLock<(Option<Address>, Option<Address>)>,
    /// The thread that looks for the peer.
    pub receiver: Receiver,
    /// Wakes the worker.
    pub wake: Signal,
    stopping: AtomicBool,
    worker: Mutex<Option<Thread>>,
    /// It goes with the module: no command is cut short.
    pub leaving: AtomicBool,
    /// A module with a connection stays loaded.
    pub pin: Mutex<Option<ModulePin>>,
    /// One command of the administrator at a time, also while it waits; taken before all locks of a
    /// resource. Volumes keep their positions meanwhile.
    pub config: Turn,
    tokens: AtomicU32,
    answer: SpinLock<Option<(Token, RetCode)>>,
    answered: WaitQueue,
    /// Lines about failed connections.
    throttle: SpinLock<Throttle>,
    /// What happens to the peer's barriers.
    write_order: AtomicU8,
    /// What debugfs tells of it.
    pub inspected: Mutex<Option<OfResource>>,
    /// All threads that work for it, on the processors of `cpu-mask`.
    pub crew: Arc<Crew>,
    /// Runs the administrator's handlers.
    pub handlers: Handlers,
    /// Wakes the receiver when a handler came back.
    pub handled: Signal,
}

impl Resource {
    /// Makes a resource and starts its worker. May sleep.
    pub fn new(driver: &Arc<Driver>, name: &[u8], options: ResourceOptions) -> Result<Arc<Self>> {
        let name = core::str::from_utf8(name).map_err(|_| EINVAL)?;
        let resource = Arc::new(
            Self {
                name: CString::try_from_fmt(fmt!("{}", name))?,
                driver: driver.clone(),
                events: Events::new(Queue::new(MAX_EFFECTS)?)?,
                orders: crate::mutex!(Orders::default(), c"tandem_orders")?,
                core: crate::mutex!(
                    Core {
                        decisions: driver.recorder.resource(name, options),
                        records: KVec::with_capacity(MAX_VOLUMES, GFP_KERNEL)?,
                        devices: KVec::with_capacity(MAX_VOLUMES, GFP_KERNEL)?,
                        told: notify::nothing_told(),
                        told_states: KVec::with_capacity(MAX_VOLUMES, GFP_KERNEL)?,
                    },
                    c"tandem_core"
                )?,
                link: Link::new(&driver.recorder, name)?,
                session: crate::spinlock!(None, c"tandem_session")?,
                addresses: crate::spinlock!((None, None), c"tandem_addresses")?,
                receiver: Receiver::new()?,
                wake: Signal::new()?,
                stopping: AtomicBool::new(false),
                worker: crate::mutex!(None, c"tandem_worker")?,
                leaving: AtomicBool::new(false),
                pin: crate::mutex!(None, c"tandem_pin")?,
                throttle: crate::spinlock!(Throttle::new(), c"tandem_throttle")?,
                config: Turn::new()?,
                tokens: AtomicU32::new(1),
                answer: crate::spinlock!(None, c"tandem_answer")?,
                answered: WaitQueue::new()?,
                write_order: AtomicU8::new(WriteOrder::Flush as u8),
                inspected: crate::mutex!(None, c"tandem_inspected")?,
                crew: Crew::new()?,
                handlers: Handlers::new()?,
                handled: Signal::new()?,
            },
            GFP_KERNEL,
        )?;
        if let Err(error) = resource.start() {
            // Threads that run keep the resource, and with it the module's numbers.
            resource.stop();
            return Err(error);
        }
        Ok(resource)
    }

    fn start(self: &Arc<Self>) -> Result {
        self.handlers.start(self)?;
        let worker = self.clone();
        *self.worker.lock() = Some(Thread::spawn(
            &self.crew,
            fmt!("drbd_r_{}", self.name_str()),
            move || worker.work(),
        )?);
        Ok(())
    }

    /// The name, as text.
    pub fn name_str(&self) -> &str {
        self.name.to_str().unwrap_or("?")
    }

    /// Ends the worker. The connection is StandAlone, no volume is left. A handler that does not
    /// come back is left to the driver. May sleep.
    pub fn stop(self: &Arc<Self>) {
        self.receiver.reap();
        self.stopping.store(true, Ordering::Release);
        self.wake.raise();
        drop(self.worker.lock().take());
        self.handlers.stop();
        if self.handlers.is_idle() || !self.driver.leave_behind(self) {
            self.handlers.join();
        }
    }

    /// Looks at the engine's value and the records when all that was decided is carried out. May
    /// sleep, for as long as a disk takes to write metadata; `look` must not post.
    pub fn with_core<R>(&self, look: impl FnOnce(&Core) -> R) -> R {
        let _settled = self.events.lock();
        look(&self.core.lock())
    }

    /// Looks at them at once: some of what was decided may not be carried out yet. For reports:
    /// never waits for a disk or the peer. May sleep; `look` must not post.
    pub fn glance<R>(&self, look: impl FnOnce(&Core) -> R) -> R {
        look(&self.core.lock())
    }

    /// Adds a volume. May sleep. False when there is no room.
    pub fn add_device(&self, device: &Arc<Device>) -> bool {
        let _settled = self.events.lock();
        let mut core = self.core.lock();
        let record = VolumeRecord::new(device.number, device.minor);
        let state = record.state;
        let added = core.devices.len() < MAX_VOLUMES
            && self.link.add_device(device.clone())
            && core.records.push_within_capacity(record).is_ok()
            && core.devices.push_within_capacity(device.clone()).is_ok()
            && core.told_states.push_within_capacity(state).is_ok();
        if added {
            core.decisions.volume_added(device.number, device.minor);
        }
        added
    }

    /// Takes a volume out. May sleep.
    pub fn remove_device(&self, device: &Arc<Device>) {
        // Effects name volumes by their positions.
        let _settled = self.events.lock();
        let mut core = self.core.lock();
        let at = core.position(device);
        if let Some(at) = at {
            let _ = core.devices.remove(at);
            let _ = core.records.remove(at);
            let _ = core.told_states.remove(at);
            core.decisions.volume_removed(at);
        }
        drop(core);
        drop(self.link.remove_device(device.number));
    }

    /// What this node calls itself and its peer.
    pub fn addresses(&self) -> (Option<Address>, Option<Address>) {
        *self.addresses.lock()
    }

    /// Sets both addresses.
    pub fn set_addresses(&self, own: Option<Address>, peer: Option<Address>) {
        *self.addresses.lock() = (own, peer);
    }

    /// The network options in force.
    pub fn net_options(&self) -> Option<NetOptions> {
        self.with_core(|core| core.decisions.net().cloned())
    }

    /// The disk options of the volume of that number.
    pub fn disk_options(&self, number: u16) -> DiskOptions {
        self.with_core(|core| {
            let record = core.records.iter().find(|r| r.number == number);
            record.map(|r| r.options.clone()).unwrap_or_default()
        })
    }

    /// The connection's own state.
    pub fn conn(&self) -> ConnState {
        self.with_core(|core| core.decisions.conn())
    }

    /// Whether the peer's bitmap of the volume of that number is awaited. May sleep.
    pub fn awaits_bitmap(&self, number: u16) -> bool {
        self.with_core(|core| {
            let record = core.records.iter().find(|r| r.number == number);
            record.is_some_and(VolumeRecord::awaits_bitmap)
        })
    }

    /// Waits while the peer's packets have to wait for a handler, or until `end`. May sleep.
    pub fn wait_for_handlers(&self, mut end: impl FnMut() -> bool) {
        let holds = || self.with_core(|core| core.records.iter().any(VolumeRecord::holds_peer));
        while holds() && !end() {
            self.handled.wait_timeout(HANDLER_LOOK_MS);
        }
    }

    /// What was agreed with the peer.
    pub fn agreed(&self) -> Agreement {
        self.with_core(|core| core.decisions.agreed())
    }

    /// The session that is up, if any.
    pub fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().clone()
    }

    /// Notes the session that is up.
    pub fn set_session(&self, session: Option<Arc<Session>>) {
        let former = core::mem::replace(&mut *self.session.lock(), session);
        drop(former);
    }

    /// Writes a line to the kernel log.
    pub fn log(&self, line: fmt::Arguments<'_>) {
        notify::log(Level::Info, self.name_str(), line);
    }

    /// Writes why a connection was not made or is given up to the kernel log. A peer that does the
    /// same thing again and again does not fill it. May sleep.
    pub fn complain(&self, line: fmt::Arguments<'_>) {
        let admitted = self.throttle.lock().admit(Device::now());
        let Some(left_out) = admitted else {
            return;
        };
        if left_out > 0 {
            notify::log(
                Level::Info,
                self.name_str(),
                format_args!("{} more lines about failed connections left out", left_out),
            );
        }
        self.complain_last(line);
    }

    /// Says why the peer is left for good. Such a line is never left out: no other follows it.
    pub fn complain_last(&self, line: fmt::Arguments<'_>) {
        notify::log(Level::Error, self.name_str(), line);
    }

    /// Empties the queue of the data socket; what was read for the peer is given back. May sleep.
    pub fn drop_items(&self) {
        self.link.drop_items(|item| {
            if let Item::Reply { volume, ticket } = item {
                if let Some(device) = self.link.device(volume) {
                    device.feed(|volume, fx| volume.peer_reply_sent(ticket, fx));
                }
            }
        });
    }

    /// What happens to the peer's barriers from now on. Any context.
    pub fn set_write_order(&self, order: WriteOrder) {
        self.write_order.store(order as u8, Ordering::Release);
    }

    fn barriers_flush(&self) -> bool {
        self.write_order.load(Ordering::Acquire) == WriteOrder::Flush as u8
    }

    /// Whether the writes before a barrier of the peer are waited for. Any context.
    pub fn barriers_wait(&self) -> bool {
        self.write_order.load(Ordering::Acquire) != WriteOrder::None as u8
    }

    /// Flushes the lower disks of all volumes, if that is how the peer's writes are kept in order.
    /// False if one failed at that: it is given up. May sleep.
    pub fn flush_disks(&self) -> bool {
        let mut all = true;
        for device in self.link.devices() {
            if !self.barriers_flush() {
                break;
            }
            let Some(lower) = device.lower() else {
                continue;
            };
            match lower.flush() {
                Ok(()) => {}
                Err(EOPNOTSUPP) => device.report_flush_unsupported(),
                Err(error) => {
                    let line = format_args!("local disk FLUSH FAILED; look at the lower device");
                    notify::log_device(Level::Error, &device, line);
                    device.report_metadata_error(error);
                    all = false;
                }
            }
        }
        all
    }

    /// Feeds a rare event and carries out what follows. May sleep.
    pub fn post(self: &Arc<Self>, event: Event) {
        self.post_with(|_| Some(event));
    }

    /// Feeds an event of one volume, unless that is gone. May sleep.
    pub fn post_for(self: &Arc<Self>, device: &Arc<Device>, make: impl FnOnce(usize) -> Event) {
        self.post_with(|core| {
            let at = core.position(device)?;
            Some(make(at))
        });
    }

    fn post_with(self: &Arc<Self>, make: impl FnOnce(&Core) -> Option<Event>) {
        // Others' memory may wait for our applications' I/O, which may wait for this event.
        let _no_io = NoIo::enter();
        let mut queue = self.events.lock();
        let event = make(&self.core.lock());
        if let Some(event) = event {
            self.handle(event, &mut queue);
        }
    }

    /// Feeds an event and carries out what follows.
    fn handle(self: &Arc<Self>, event: Event, queue: &mut Queue) {
        self.decide(event, queue);
        self.follow(queue);
    }

    /// Carries out what was decided, also of volumes whose resync waits for another one of this
    /// resource, and then lets the command go that was answered. Other resources look at what they
    /// depend on in their own time.
    fn follow(self: &Arc<Self>, queue: &mut Queue) {
        self.carry_out_more(queue);
        // One that begins or ends may be waited for in turn; no chain has more volumes.
        for _ in 0..MAX_VOLUMES {
            if !self.tell_dependencies() {
                break;
            }
            self.follow_dependencies(queue);
        }
        if let Some(answer) = queue.answer.take() {
            *self.answer.lock() = Some(answer);
            self.answered.wake_all();
        }
    }

    /// Carries out what was decided. A handler that could not be called has no objections: that is
    /// the next event.
    fn carry_out_more(self: &Arc<Self>, queue: &mut Queue) {
        while let Some(call) = self.carry_out_all(queue) {
            self.decide(Event::HandlerDone { call, status: 0 }, queue);
        }
    }

    /// Feeds the engine. Its part of the stack is free again when effects are carried out.
    #[inline(never)]
    fn decide(&self, event: Event, queue: &mut Queue) {
        let mut guard = self.core.lock();
        let core = &mut *guard;
        for (record, device) in core.records.iter_mut().zip(core.devices.iter()) {
            record.bits = device.volume.lock().out_of_sync();
            record.open_count = device.open_count.load(Ordering::Acquire);
            record.lower = device
                .lower()
                .map_or_else(Default::default, |lower| lower.sizes());
        }
        let env = Env {
            now: Device::now(),
            random: clock::random_u64(),
        };
        core.decisions.handle(&mut core.records, env, event, queue);
        if core::mem::take(&mut queue.lost) {
            for device in core.devices.iter() {
                device.must(Err(Invariant::Effects));
            }
        }
    }

    /// Carries out what was decided. Returns the call of a handler that could not be made.
    fn carry_out_all(self: &Arc<Self>, queue: &mut Queue) -> Option<Call> {
        let mut uncalled = None;
        for effect in queue.list.drain_all() {
            if let Effect::Answer(token, code) = effect {
                queue.answer = Some((token, code));
            } else if let Some(call) = self.carry_out(effect) {
                uncalled = Some(call);
            }
        }
        uncalled
    }

    /// Lets volumes resync that have to wait no longer, and others wait.
    fn follow_dependencies(self: &Arc<Self>, queue: &mut Queue) {
        for device in self.link.devices() {
            let news = self.dependency_news(&device);
            let at = self.glance(|core| core.position(&device));
            if let (Some(waits), Some(volume)) = (news, at) {
                self.decide(Event::Depends { volume, waits }, queue);
                self.carry_out_more(queue);
            }
        }
    }

    /// Tells all resources what their resyncs may wait for; whether there was any news of this one.
    /// May sleep.
    fn tell_dependencies(&self) -> bool {
        let changed = self.glance(|core| {
            let volumes = core.records.iter().zip(core.devices.iter());
            volumes.fold(false, |changed, (record, device)| {
                let new = Dependency::of(record);
                let old = core::mem::replace(&mut *device.dependency.lock(), new);
                changed | (old != new)
            })
        });
        if changed {
            self.driver.dependencies_changed();
        }
        changed
    }
}
