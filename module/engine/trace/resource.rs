// SPDX-License-Identifier: GPL-2.0

//! A [`Resource`] that is written down.
//!
//! The records of its volumes are the driver's; they are made again from the events that add and
//! remove them, and each event tells what the driver brought up to date in them. At the end of each
//! event stands a digest of all records: what is in them goes to disk with `SaveSuperblock`.

use core::fmt::{
    self,
    Write as _, //
};

use crate::engine::bytes::Reader;
use crate::engine::options::ResourceOptions;
use crate::engine::resource::{
    Effect,
    Env,
    Event,
    Output,
    Resource,
    VolumeRecord, //
};

use super::digest::Digest;
use super::{
    made_again,
    put_text,
    say_arguments,
    write_outcome,
    Code,
    Recorder,
    Traced, //
};

/// The event that makes a resource.
pub const NEW_RESOURCE: &str = "new resource";

/// The event that adds a volume's record behind the others: its number and its minor number.
pub const ADD_VOLUME: &str = "add volume";

/// The event that takes a volume's record out: its position.
pub const REMOVE_VOLUME: &str = "remove volume";

const HANDLE: &str = "handle";

impl<R: Recorder> Traced<Resource, R> {
    /// [`Resource::new`], written down as the value `number` under a name for people.
    pub fn resource(
        recorder: R,
        number: u32,
        name: fmt::Arguments<'_>,
        options: ResourceOptions,
    ) -> Self {
        let traced = Self {
            value: Resource::new(options.clone()),
            number,
            recorder,
        };
        traced.begin(NEW_RESOURCE, &|w| {
            options.put(w)?;
            put_text(name, w)
        });
        traced
    }

    /// Makes it again from the arguments of [`NEW_RESOURCE`]; also returns its name.
    pub fn made_again<'a>(
        recorder: R,
        number: u32,
        arguments: Reader<'a>,
    ) -> Option<(Self, &'a str)> {
        made_again(arguments, |options, name| {
            Self::resource(recorder, number, name, options)
        })
    }

    /// The driver adds a fresh record behind the others.
    pub fn volume_added(&mut self, number: u16, minor: u32) {
        self.begin(ADD_VOLUME, &|w| {
            number.put(w)?;
            minor.put(w)
        });
    }

    /// The driver takes the record at `position` out.
    pub fn volume_removed(&mut self, position: usize) {
        self.begin(REMOVE_VOLUME, &|w| position.put(w));
    }

    /// As [`Resource::handle`]. Written down.
    pub fn handle(
        &mut self,
        volumes: &mut [VolumeRecord],
        env: Env,
        event: Event,
        out: &mut dyn Output,
    ) {
        let on = self.begin(HANDLE, &|w| {
            env.put(w)?;
            volumes.len().put(w)?;
            for volume in volumes.iter() {
                volume.bits.put(w)?;
                volume.open_count.put(w)?;
                volume.lower.put(w)?;
            }
            event.put(w)
        });
        if !on {
            return self.value.handle(volumes, env, event, out);
        }
        let mut tee = Tee {
            recorder: &self.recorder,
            number: self.number,
            out,
        };
        self.value.handle(volumes, env, event, &mut tee);
        let mut digest = Digest::new();
        let _ = write!(digest, "{volumes:?}");
        self.end(format_args!("records {digest:?}"));
    }

    /// Makes a recorded call again; says its arguments. `None` if it is unknown or garbled.
    ///
    /// The events that add and remove records are the caller's, who has the records.
    pub fn call(
        &mut self,
        volumes: &mut [VolumeRecord],
        name: &str,
        mut arguments: Reader<'_>,
        say: &mut dyn fmt::Write,
    ) -> Option<()> {
        let r = &mut arguments;
        if name != HANDLE {
            return None;
        }
        let env = Env::get(r)?;
        if usize::get(r)? != volumes.len() {
            return None;
        }
        for volume in volumes.iter_mut() {
            volume.bits = Code::get(r)?;
            volume.open_count = Code::get(r)?;
            volume.lower = Code::get(r)?;
        }
        let event = Event::get(r)?;
        say_arguments(say, &[&env, &event])?;
        self.handle(volumes, env, event, &mut Nowhere);
        Some(())
    }
}

/// Writes effects down on their way to the driver.
struct Tee<'a, R> {
    recorder: &'a R,
    number: u32,
    out: &'a mut dyn Output,
}

impl<R: Recorder> Output for Tee<'_, R> {
    fn push(&mut self, effect: Effect) {
        write_outcome(self.recorder, self.number, format_args!("{effect:?}"));
        self.out.push(effect);
    }
}

/// Carries nothing out.
struct Nowhere;

impl Output for Nowhere {
    fn push(&mut self, _: Effect) {}
}
