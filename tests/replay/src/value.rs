// SPDX-License-Identifier: GPL-2.0

//! The engine's values, made again and fed.

use std::fmt::Write;

use tandem_engine::engine::bytes::Reader;
use tandem_engine::engine::resource::{Resource, VolumeRecord};
use tandem_engine::engine::storage::Storage;
use tandem_engine::engine::stream::Stream;
use tandem_engine::engine::trace::{
    Allocate, Code, Traced, ADD_VOLUME, NEW_RESOURCE, NEW_STREAM, NEW_VOLUME, REMOVE_VOLUME,
};
use tandem_engine::engine::volume::Volume;

use crate::echo::Echo;

/// The engine's tables on the heap.
pub(crate) struct Heap;

impl Storage for Heap {
    type Array<T: 'static> = Vec<T>;
}

impl Allocate for Heap {
    fn filled<T: Clone + 'static>(count: usize, value: T) -> Vec<T> {
        vec![value; count]
    }
}

/// A value that is fed.
pub(crate) enum Value {
    /// The data path of one device.
    Volume(Box<Traced<Volume<Heap>, Echo>>),
    /// The order of writes on one connection.
    Stream(Box<Traced<Stream, Echo>>),
    /// The decisions of one resource, and what it knows of its volumes.
    Resource(Box<Traced<Resource, Echo>>, Vec<VolumeRecord>),
}

impl Value {
    /// Makes a value if this event makes one; also returns what people call it.
    pub(crate) fn made_again(
        echo: &Echo,
        number: u32,
        event: &str,
        arguments: Reader<'_>,
    ) -> Option<(Self, String)> {
        let echo = echo.clone();
        match event {
            NEW_VOLUME => {
                let (volume, name) =
                    Traced::<Volume<Heap>, _>::made_again(echo, number, arguments)?;
                Some((Value::Volume(Box::new(volume)), format!("volume {name}")))
            }
            NEW_STREAM => {
                let (stream, name) = Traced::<Stream, _>::made_again(echo, number, arguments)?;
                Some((Value::Stream(Box::new(stream)), format!("stream {name}")))
            }
            NEW_RESOURCE => {
                let (it, name) = Traced::<Resource, _>::made_again(echo, number, arguments)?;
                let value = Value::Resource(Box::new(it), Vec::new());
                Some((value, format!("resource {name}")))
            }
            _ => None,
        }
    }

    /// Feeds an event; says its arguments. `None` if it is unknown or garbled.
    pub(crate) fn call(
        &mut self,
        event: &str,
        arguments: Reader<'_>,
        say: &mut String,
    ) -> Option<()> {
        match self {
            Value::Volume(volume) => volume.call(event, arguments, crc32c, say),
            Value::Stream(stream) => stream.call(event, arguments, say),
            Value::Resource(resource, records) => match event {
                ADD_VOLUME | REMOVE_VOLUME => change(resource, records, event, arguments, say),
                _ => resource.call(records, event, arguments, say),
            },
        }
    }
}

/// Adds or removes a record, as the driver did.
fn change(
    resource: &mut Traced<Resource, Echo>,
    records: &mut Vec<VolumeRecord>,
    event: &str,
    mut arguments: Reader<'_>,
    say: &mut String,
) -> Option<()> {
    if event == ADD_VOLUME {
        let (number, minor) = (Code::get(&mut arguments)?, Code::get(&mut arguments)?);
        write!(say, "({number}, {minor})").ok()?;
        records.push(VolumeRecord::new(number, minor));
        resource.volume_added(number, minor);
    } else {
        let position: usize = Code::get(&mut arguments)?;
        write!(say, "({position})").ok()?;
        records.get(position)?;
        records.remove(position);
        resource.volume_removed(position);
    }
    Some(())
}

/// The kernel's `crc32c()`: without the inversions that the library makes before and after.
fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}
