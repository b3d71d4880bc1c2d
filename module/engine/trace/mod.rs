// SPDX-License-Identifier: GPL-2.0

//! What happened to the engine's values, written down: events in, effects out.
//!
//! A [`Traced`] value is used as the value itself. Where somebody listens ([`Recorder`]), each
//! event is written down with its arguments before it is fed, and what came of it afterwards, under
//! the lock that ordered the call. The engine is deterministic, so the events of a recording, fed
//! to fresh values anywhere, have to give the same effects again. `tests/replay` looks whether they
//! do.
//!
//! Only methods that are written down can be called: a `Traced` value gives its inner value away
//! for looking only.
//!
//! - Events are bytes ([`Code`]), because they have to be fed again.
//! - What came of them is text (`Debug`), because it has to be compared and read by people.
//!
//! Nobody listens, usually: then a call costs one look at a flag.

mod calls;
mod code;
mod digest;
mod event;
mod resource;
mod stream;
mod tape;
mod volume;

#[cfg(test)]
mod tests;

use core::fmt::{
    self,
    Write as _, //
};
use core::ops::Deref;

use super::bytes::{
    BytesError,
    Reader,
    Writer, //
};
use super::storage::Storage;

pub use code::Code;
pub use resource::{
    ADD_VOLUME,
    NEW_RESOURCE,
    REMOVE_VOLUME, //
};
pub use stream::NEW_STREAM;
pub use tape::{
    Frame,
    Part,
    Recording,
    Tape,
    TapeError, //
};
pub use volume::NEW_VOLUME;

/// How writing a frame's body ends; an error means that there is no room left.
pub type Written = Result<(), BytesError>;

/// Who listens. The driver decides whether anybody does, and where the frames go.
pub trait Recorder {
    /// Whether somebody listens now. Asked for each event, so it has to be cheap.
    fn is_on(&self) -> bool;

    /// Takes a frame about the value of that number; `fill` writes its body.
    ///
    /// Called with the value's lock held, perhaps in an interrupt.
    fn append(&self, value: u32, part: Part, fill: &dyn Fn(&mut Writer<'_>) -> Written);
}

/// Memory of any size for the values of a recording that is fed again.
pub trait Allocate: Storage {
    /// An array of `count` copies of `value`.
    fn filled<T: Clone + 'static>(count: usize, value: T) -> Self::Array<T>;
}

/// A value of the engine whose events and effects can be written down.
pub struct Traced<V, R> {
    value: V,
    /// Names the value in recordings.
    number: u32,
    recorder: R,
}

impl<V, R> Deref for Traced<V, R> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V, R: Recorder> Traced<V, R> {
    /// Writes an event down, if somebody listens; returns that.
    #[inline]
    fn begin(&self, name: &str, arguments: &dyn Fn(&mut Writer<'_>) -> Written) -> bool {
        let on = self.recorder.is_on();
        if on {
            self.write_event(name, arguments);
        }
        on
    }

    #[cold]
    fn write_event(&self, name: &str, arguments: &dyn Fn(&mut Writer<'_>) -> Written) {
        self.recorder.append(self.number, Part::Event, &|w| {
            put_name(name, w)?;
            arguments(w)
        });
    }

    /// Writes down what came of a call: its result, and its effects, if it can have any.
    #[cold]
    fn end_call(&self, result: &dyn fmt::Debug, effects: &[&dyn fmt::Debug]) {
        match effects.first() {
            Some(effects) => self.end(format_args!("{result:?} {effects:?}")),
            None => self.end(format_args!("{result:?}")),
        }
    }

    /// Writes down what came of the last event.
    #[cold]
    fn end(&self, outcome: fmt::Arguments<'_>) {
        write_outcome(&self.recorder, self.number, outcome);
    }
}

/// Writes down what came of an event of the value `number`.
fn write_outcome<R: Recorder>(recorder: &R, number: u32, outcome: fmt::Arguments<'_>) {
    recorder.append(number, Part::Outcome, &|w| put_text(outcome, w));
}

/// Writes an event's name: its length in one byte, and its text.
fn put_name(name: &str, w: &mut Writer<'_>) -> Written {
    w.u8(u8::try_from(name.len()).map_err(|_| BytesError::NoRoom)?)?;
    w.bytes(name.as_bytes())
}

/// Says arguments for people, as in a call.
fn say_arguments(say: &mut dyn fmt::Write, arguments: &[&dyn fmt::Debug]) -> Option<()> {
    for (at, argument) in arguments.iter().enumerate() {
        let before = if at == 0 { "(" } else { ", " };
        write!(say, "{before}{argument:?}").ok()?;
    }
    say.write_str(if arguments.is_empty() { "()" } else { ")" })
        .ok()
}

/// Makes a value again from the argument and the name that its making was written down with; also
/// returns the name. `None` if they are garbled.
fn made_again<A: Code, T>(
    mut arguments: Reader<'_>,
    make: impl FnOnce(A, fmt::Arguments<'_>) -> T,
) -> Option<(T, &str)> {
    let argument = A::get(&mut arguments)?;
    let name = core::str::from_utf8(arguments.rest()).ok()?;
    Some((make(argument, format_args!("{name}")), name))
}

/// Writes text as it is, to the end of the frame.
fn put_text(text: fmt::Arguments<'_>, w: &mut Writer<'_>) -> Written {
    struct Text<'a, 'b>(&'a mut Writer<'b>);

    impl fmt::Write for Text<'_, '_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.bytes(text.as_bytes()).map_err(|_| fmt::Error)
        }
    }

    Text(w).write_fmt(text).map_err(|_| BytesError::NoRoom)
}
