// SPDX-License-Identifier: GPL-2.0

//! Who records what happens to the engine's values: usually nobody.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use tandem_engine::engine::bytes::Writer;
use tandem_engine::engine::trace::{Part, Recorder, Tape, Written};

/// Bytes of a tape: much more than any run writes.
const TAPE: usize = 256 << 20;

#[derive(Debug)]
struct Recording {
    tape: RefCell<Tape<Vec<u8>>>,
    values: Cell<u32>,
}

/// Listens to the values of a world; all of its clones write on one tape.
#[derive(Clone, Debug, Default)]
pub struct Listener(Option<Rc<Recording>>);

impl Listener {
    /// One that records.
    pub fn recording() -> Self {
        Self(Some(Rc::new(Recording {
            tape: RefCell::new(Tape::new(vec![0; TAPE])),
            values: Cell::new(0),
        })))
    }

    /// What was recorded; nothing by one that does not record.
    pub fn recorded(&self) -> Vec<u8> {
        let tape = self.0.as_ref().map(|it| it.tape.borrow());
        tape.map_or(Vec::new(), |tape| tape.recorded().to_vec())
    }

    /// A number for a new value.
    pub(crate) fn next_value(&self) -> u32 {
        self.0.as_ref().map_or(0, |it| {
            let number = it.values.get();
            it.values.set(number + 1);
            number
        })
    }
}

impl Recorder for Listener {
    fn is_on(&self) -> bool {
        self.0.is_some()
    }

    fn append(&self, value: u32, part: Part, fill: &dyn Fn(&mut Writer<'_>) -> Written) {
        if let Some(it) = &self.0 {
            it.tape.borrow_mut().append(value, part, fill);
        }
    }
}
