// SPDX-License-Identifier: GPL-2.0

//! Feeds a recording of the engine's values to fresh values, and compares what comes of each event
//! with what came of it when it was recorded, one for one.
//!
//! The values that are fed are traced themselves: each writes down what it is fed and what comes of
//! it, and both have to be what the recording says, byte for byte.

mod echo;
mod failure;
mod value;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use tandem_engine::engine::trace::{Frame, Part, Recording};

pub use failure::Failure;

use echo::Echo;
use value::Value;

/// Lines of a value's story that a failure tells.
const CONTEXT: usize = 8;

/// What a recording held that gave the same effects again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Values: volumes, streams, resources.
    pub values: usize,
    /// Events that were fed.
    pub events: usize,
    /// What came of them, piece by piece.
    pub outcomes: usize,
    /// Events whose effects are not in the recording: it was ended before they were written down.
    pub cut_short: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events of {} values, {} effects and results, all the same in userspace",
            self.events, self.values, self.outcomes
        )?;
        if self.cut_short != 0 {
            write!(f, "; {} events had no end yet", self.cut_short)?;
        }
        Ok(())
    }
}

/// A value that is being fed.
struct Fed {
    name: String,
    value: Value,
    /// What came of the last event and was not compared yet.
    due: VecDeque<String>,
    /// The last lines of its story.
    story: VecDeque<String>,
}

impl Fed {
    fn tell(&mut self, line: String) {
        if self.story.len() == CONTEXT {
            self.story.pop_front();
        }
        self.story.push_back(line);
    }
}

/// Feeds a recording. `tell` hears every event and every effect, in order.
///
/// # Errors
///
/// The recording is not complete, or something else came of an event.
pub fn replay(bytes: &[u8], mut tell: impl FnMut(&str)) -> Result<Summary, Failure> {
    let recording = Recording::parse(bytes).map_err(|error| Failure::of_tape(0, error))?;
    let mut replay = Replay::default();
    for (at, frame) in recording.enumerate() {
        let frame = frame.map_err(|error| Failure::of_tape(at, error))?;
        let line = match frame.part {
            Part::Event => replay.event(at, frame)?,
            Part::Outcome => replay.outcome(at, frame)?,
        };
        tell(&line);
    }
    replay.summary.values = replay.fed.len();
    replay.summary.cut_short = replay
        .fed
        .values()
        .filter(|fed| !fed.due.is_empty())
        .count();
    Ok(replay.summary)
}

#[derive(Default)]
struct Replay {
    fed: BTreeMap<u32, Fed>,
    echo: Echo,
    summary: Summary,
}

impl Replay {
    /// Feeds an event, and keeps what comes of it for comparison.
    fn event(&mut self, at: usize, frame: Frame<'_>) -> Result<String, Failure> {
        self.summary.events += 1;
        let (name, arguments) = frame
            .event()
            .ok_or_else(|| Failure::new(at, "an event is garbled"))?;
        let mut line = name.to_owned();
        if let Some((value, called)) = Value::made_again(&self.echo, frame.value, name, arguments) {
            line = format!("{called}: {name}");
            let fed = Fed {
                name: called,
                value,
                due: VecDeque::new(),
                story: VecDeque::new(),
            };
            if self.fed.insert(frame.value, fed).is_some() {
                return Err(Failure::new(at, "a value is made twice"));
            }
        } else {
            let fed = self.fed.get_mut(&frame.value).ok_or_else(|| {
                Failure::new(
                    at,
                    "it is about a value that was made before the recording began: begin it when \
                     the module is loaded, before the first resource",
                )
            })?;
            if let Some(more) = fed.due.pop_front() {
                let what = format!("in userspace more came of it:\n  {more}");
                return Err(Failure::new(at, what).with(&fed.name, &fed.story));
            }
            let known = fed.value.call(name, arguments, &mut line);
            line = format!("{}: {line}", fed.name);
            fed.tell(line.clone());
            if known.is_none() {
                let what = "the engine knows no such event, or its arguments are garbled";
                return Err(Failure::new(at, what).with(&fed.name, &fed.story));
            }
        }
        self.keep(at, frame)?;
        Ok(line)
    }

    /// Takes what the value wrote down: the event as it was recorded, and what is to be compared.
    fn keep(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Failure> {
        let mut frames = self.echo.take().into_iter();
        let same = frames
            .next()
            .is_some_and(|(part, body)| part == Part::Event && body == frame.body);
        let Some(fed) = self.fed.get_mut(&frame.value).filter(|_| same) else {
            return Err(Failure::new(at, "an event is written down differently"));
        };
        fed.due = frames
            .map(|(_, body)| String::from_utf8_lossy(&body).into_owned())
            .collect();
        Ok(())
    }

    /// Compares one piece of what came of the value's last event.
    fn outcome(&mut self, at: usize, frame: Frame<'_>) -> Result<String, Failure> {
        self.summary.outcomes += 1;
        let recorded = String::from_utf8_lossy(frame.body);
        let fed = self
            .fed
            .get_mut(&frame.value)
            .ok_or_else(|| Failure::new(at, "effects of a value that was never made"))?;
        let line = format!("{}:   {recorded}", fed.name);
        match fed.due.pop_front() {
            Some(here) if here == recorded => {
                fed.tell(line.clone());
                Ok(line)
            }
            here => {
                let here = here.as_deref().unwrap_or("nothing");
                let what = format!(
                    "something else came of it\n  recorded:  {recorded}\n  userspace: {here}"
                );
                Err(Failure::new(at, what).with(&fed.name, &fed.story))
            }
        }
    }
}
