// SPDX-License-Identifier: GPL-2.0

//! One resource and the sessions with it, one after the other. Each session is drawn by its seed:
//! role and disk of the module, options, who calls, what the application and the administrator do
//! meanwhile, and what the peer's packets become.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::FileExt,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{channel, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure, Context, Result};
use fastrand::Rng;
use rustix::fs::{fallocate, FallocateFlags};
use tandem_engine::{
    control::{Command, RetCode},
    options::NetOptions,
};

use crate::{
    admin::{attach, minor, primary, Admin, Resource},
    place::{open, Aligned, Place},
    tally::Tally,
    watch::bounded,
};

use super::{
    mutate::Mutator,
    options,
    peer::Peer,
    session::Session,
    sockets::{self, Sockets},
};

/// Resources that are fuzzed beside each other. A seed belongs to the one with its remainder.
pub(crate) const WORKERS: u64 = 16;

/// How long the module may take to find its peer.
const TO_MEET: Duration = Duration::from_secs(8);

/// How long a handshake may take that may have been changed, so that nobody answers any more.
const TO_INTRODUCE: Duration = Duration::from_millis(1500);

/// How long a device may be open after it was closed here.
const TO_CLOSE: Duration = Duration::from_secs(5);

/// A resource and its administrators.
pub(crate) struct Worker {
    pub(crate) resource: Resource,
    two_primaries: bool,
    /// Sizes may be changed by the peer.
    sizes: bool,
    admin: Admin,
    /// Of commands while a session is on.
    second: Admin,
    up: bool,
}

impl Worker {
    /// The worker with this number, with nothing made yet.
    pub(crate) fn new(number: u32) -> Result<Self> {
        let resource = Resource::numbered(number);
        Ok(Self {
            sizes: !resource.places[0].fixed,
            resource,
            two_primaries: matches!(number % 8, 4 | 5),
            admin: Admin::open()?,
            second: Admin::open()?,
            up: false,
        })
    }

    /// Takes everything down, and makes it anew if `metadata`: with disks that were never in use.
    fn renew(&mut self) -> Result<()> {
        self.down()?;
        for place in &self.resource.places {
            place.create_md()?;
        }
        for request in self.resource.make() {
            let done = self.admin.ask(&request)?;
            let (name, why) = (&self.resource.name, &self.admin.refusal);
            ensure!(done, "{} of {name}: {why}", request.command().as_str());
        }
        self.up = true;
        Ok(())
    }

    /// Takes everything down; that may not fail.
    pub(crate) fn down(&mut self) -> Result<()> {
        if self.up {
            for place in &self.resource.places {
                self.admin.ask(&minor(Command::ResumeIo, place))?;
            }
            let until = Instant::now() + TO_CLOSE;
            let mut done = false;
            // A program that another thread starts has the open devices until it begins.
            while !done && Instant::now() < until {
                done = self.admin.ask(&self.resource.down())?;
            }
            let state = fs::read_to_string(crate::judge::PROC).unwrap_or_default();
            let (name, why) = (&self.resource.name, &self.admin.refusal);
            ensure!(done, "{name} does not go down: {why}\n{state}");
            self.up = false;
        }
        Ok(())
    }

    /// Shows that a resource still works, whatever was done to it: new metadata, a Primary, a write
    /// that is read back.
    pub(crate) fn works(&mut self) -> Result<()> {
        self.renew()?;
        let place = self.resource.places[0].clone();
        ensure!(self.admin.ask(&primary(&place, true))?, "no Primary");
        let device = open(&place.device())?;
        let (mut written, mut read) = (Aligned::new(4096), Aligned::new(4096));
        written.get().fill(0x77);
        bounded("the last write", || {
            device.write_all_at(written.get(), 8192)
        })?;
        bounded("the last read", || device.read_exact_at(read.get(), 8192))?;
        ensure!(
            written.get() == read.get(),
            "another content is read than was written"
        );
        drop(device);
        self.down()
    }

    /// One session.
    pub(crate) fn session(&mut self, seed: u64, tally: &mut Tally) -> Result<()> {
        let mut rng = Rng::with_seed(seed);
        if !self.up || rng.u32(..24) == 0 {
            self.renew()?;
        }
        self.arrange(&mut rng)?;
        let net = options::draw(&mut rng.fork(), self.two_primaries);
        let called = rng.bool();
        let listener = match called {
            true => None,
            false => Some(sockets::listen(self.resource.port).context("listen")?),
        };
        if !self.admin.ask(&self.resource.connect(&net))? {
            tally.add(&format!("connect refused: {}", self.admin.refusal), 1);
            return Ok(());
        }
        let result = self.sessions(&mut rng, &net, listener.as_ref(), tally);
        drop(listener);
        if !self.admin.ask(&self.resource.disconnect(true))? {
            tally.add(&format!("disconnect refused: {}", self.admin.refusal), 1);
        }
        result
    }

    /// The session, and now and then the one after it, which the module looks for by itself.
    fn sessions(
        &mut self,
        rng: &mut Rng,
        net: &NetOptions,
        listener: Option<&TcpListener>,
        tally: &mut Tally,
    ) -> Result<()> {
        let count = if rng.u32(..24) == 0 { 2 } else { 1 };
        for _ in 0..count {
            let until = Instant::now() + TO_MEET;
            let sockets = match listener {
                Some(listener) => sockets::accept(listener, until),
                None => sockets::call(self.resource.port, until),
            };
            // A module that was refused for good does not listen any more.
            let Some(sockets) = sockets? else {
                tally.add("not met", 1);
                return Ok(());
            };
            self.meet(rng, net, sockets, listener.is_none(), tally)?;
        }
        Ok(())
    }

    fn meet(
        &mut self,
        rng: &mut Rng,
        net: &NetOptions,
        sockets: Sockets,
        called: bool,
        tally: &mut Tally,
    ) -> Result<()> {
        let volumes = self.resource.places.len() as u16;
        let lasts = match rng.u32(..12) {
            0 => rng.u32(160..800),
            _ => rng.u32(20..160),
        };
        let session = Session {
            peer: Peer::new(rng.fork(), net.clone(), volumes),
            mutator: Mutator::new(rng.fork(), self.sizes),
            sockets,
            tally,
            rng: rng.fork(),
            called,
            slow: rng.u32(..24) == 0,
            until: Instant::now() + TO_INTRODUCE,
            lasts,
        };
        let (writes, commands) = (rng.bool(), rng.u32(..3) == 0);
        let (resource, second) = (&self.resource, &mut self.second);
        let first_admin = &mut self.admin;
        let over = AtomicBool::new(false);
        let place = &resource.places[0];
        let mut draws = [rng.fork(), rng.fork()];
        thread::scope(|scope| {
            let [first, other] = &mut draws;
            let (go, word) = channel();
            let application = writes.then(|| scope.spawn(|| application(place, first, &over)));
            let administrator = commands
                .then(|| scope.spawn(move || administrator(resource, second, other, &word)));
            let result = session.run(|| {
                // There may be no administrator.
                let _ = go.send(());
            });
            over.store(true, Ordering::Release);
            drop(go);
            let threads = [application, administrator].into_iter().flatten();
            let threads = threads.collect::<Vec<_>>();
            bounded("the end of a session's threads", || {
                // The administrator may have frozen what the application waits for.
                while !threads.iter().all(|thread| thread.is_finished()) {
                    for place in &resource.places {
                        first_admin.ask(&minor(Command::ResumeIo, place))?;
                    }
                    thread::sleep(Duration::from_millis(3));
                }
                anyhow::Ok(())
            })?;
            let result = result.map_err(|what| anyhow!(what));
            threads.into_iter().fold(result, |all, thread| {
                let ended = thread.join();
                all.and(ended.unwrap_or_else(|_| Err(anyhow!("a thread panicked"))))
            })
        })
    }

    /// Attaches a disk, if it is not there already; what its log says is applied, as always.
    fn attached(&mut self, place: &Place) -> Result<()> {
        if !self.admin.ask(&attach(place))? && self.admin.refused_with(RetCode::ERR_MD_UNCLEAN) {
            place.apply_log()?;
            self.admin.ask(&attach(place))?;
        }
        Ok(())
    }

    /// Brings the module's side to where the session begins. What is refused stays as it is.
    fn arrange(&mut self, rng: &mut Rng) -> Result<()> {
        let places = self.resource.places.clone();
        for place in &places {
            self.admin.ask(&minor(Command::ResumeIo, place))?;
            self.admin.ask(&minor(Command::ResumeSync, place))?;
            if rng.u32(..12) > 0 {
                self.attached(place)?;
            } else {
                self.admin.ask(&minor(Command::Detach, place))?;
            }
            match rng.u32(..10) {
                0..=3 => self.admin.ask(&primary(place, true))?,
                4..=7 => self.admin.ask(&minor(Command::Secondary, place))?,
                _ => true,
            };
        }
        Ok(())
    }
}

/// Reads, writes and discards while the session is on; what fails is not repeated.
fn application(place: &Place, rng: &mut Rng, over: &AtomicBool) -> Result<()> {
    // Only a Primary can be opened.
    let Ok(device) = open(&place.device()) else {
        return Ok(());
    };
    let what = format!("I/O of minor {}", place.minor);
    while !over.load(Ordering::Acquire) {
        let len = [512, 4096, 8192, 65536][rng.usize(..4)];
        let at = rng.u64(..1 << 20) / 4096 * 4096;
        let mut area = Aligned::new(len);
        bounded(&what, || match rng.u32(..12) {
            0..=5 => device.write_all_at(area.get(), at).is_ok(),
            6..=8 => device.read_exact_at(area.get(), at).is_ok(),
            9 => device.sync_data().is_ok(),
            10 => {
                let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                fallocate(&device, hole, at, 65536).is_ok()
            }
            _ => fallocate(&device, FallocateFlags::ZERO_RANGE, at, 65536).is_ok(),
        });
        // Other sessions want processors, too.
        thread::sleep(Duration::from_millis(rng.u64(..8)));
    }
    Ok(())
}

/// Does some things once both nodes have introduced themselves.
fn administrator(
    resource: &Resource,
    admin: &mut Admin,
    rng: &mut Rng,
    word: &Receiver<()>,
) -> Result<()> {
    if word.recv().is_err() {
        return Ok(());
    }
    for _ in 0..rng.u32(1..4) {
        admin.ask(&resource.any(rng))?;
        // Until the next command, or the end of the session.
        if word.recv_timeout(Duration::from_millis(rng.u64(1..60))) != TIMEOUT {
            break;
        }
    }
    Ok(())
}

/// The session goes on.
const TIMEOUT: Result<(), std::sync::mpsc::RecvTimeoutError> =
    Err(std::sync::mpsc::RecvTimeoutError::Timeout);
