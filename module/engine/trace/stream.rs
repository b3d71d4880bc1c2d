// SPDX-License-Identifier: GPL-2.0

//! A [`Stream`] that is written down.

use core::fmt;

use crate::engine::broken::Invariant;
use crate::engine::bytes::Reader;
use crate::engine::stream::{
    BarrierStep,
    EpochError,
    EpochStep,
    Placed,
    Stream, //
};

use super::calls::calls;
use super::{
    made_again,
    put_text,
    Code,
    Recorder,
    Traced, //
};

/// The event that makes a stream.
pub const NEW_STREAM: &str = "new stream";

calls! {
    impl [] Stream;

    fn reset(max_epoch_size: u32);
    fn set_max_epoch_size(writes: u32);
    fn place_write() -> Placed;
    fn retract_write(epoch: u32) -> Result<(), Invariant>;
    fn put_off(epoch: u32) -> Result<(), Invariant>;
    fn close_epoch(epoch: u32);
    fn flush();
    fn take_barrier() -> Option<u32>;
    fn barrier_acked(number: u32, writes: u32) -> Result<bool, EpochError>;
    fn peer_write_started() -> u32;
    fn peer_write_finished(epoch: u32) -> Result<EpochStep, Invariant>;
    fn peer_write_put_off(epoch: u32) -> Result<EpochStep, Invariant>;
    fn peer_barrier(number: u32, waits: bool) -> Result<BarrierStep, EpochError>;
    fn peer_epoch_flushed() -> Option<(u32, u32)>;
    fn peer_epoch_done() -> Option<(u32, u32)>;
}

impl<R: Recorder> Traced<Stream, R> {
    /// [`Stream::new`], written down as the value `number` under a name for people.
    pub fn stream(recorder: R, number: u32, name: fmt::Arguments<'_>, max_epoch_size: u32) -> Self {
        let traced = Self {
            value: Stream::new(max_epoch_size),
            number,
            recorder,
        };
        traced.begin(NEW_STREAM, &|w| {
            max_epoch_size.put(w)?;
            put_text(name, w)
        });
        traced
    }

    /// Makes it again from the arguments of [`NEW_STREAM`]; also returns its name.
    pub fn made_again<'a>(
        recorder: R,
        number: u32,
        arguments: Reader<'a>,
    ) -> Option<(Self, &'a str)> {
        made_again(arguments, |max_epoch_size, name| {
            Self::stream(recorder, number, name, max_epoch_size)
        })
    }

    /// Makes a recorded call again; says its arguments. `None` if it is unknown or garbled.
    pub fn call(
        &mut self,
        name: &str,
        mut arguments: Reader<'_>,
        say: &mut dyn fmt::Write,
    ) -> Option<()> {
        self.call_method(name, &mut arguments, say)
    }
}
