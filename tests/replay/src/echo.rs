// SPDX-License-Identifier: GPL-2.0

//! Listens to the values that are fed.

use std::{cell::RefCell, rc::Rc};

use tandem_engine::engine::bytes::Writer;
use tandem_engine::engine::trace::{Part, Recorder, Written};

/// What was written down: parts and bodies of frames.
type Frames = Vec<(Part, Vec<u8>)>;

/// Keeps what values write down until somebody takes it.
#[derive(Clone, Default)]
pub(crate) struct Echo(Rc<RefCell<Frames>>);

impl Echo {
    /// Takes what was written down since the last call.
    pub(crate) fn take(&self) -> Frames {
        self.0.take()
    }
}

impl Recorder for Echo {
    fn is_on(&self) -> bool {
        true
    }

    fn append(&self, _value: u32, part: Part, fill: &dyn Fn(&mut Writer<'_>) -> Written) {
        let mut body = vec![0; 1 << 16];
        loop {
            let mut writer = Writer::new(&mut body);
            if fill(&mut writer).is_ok() {
                let len = writer.len();
                body.truncate(len);
                break self.0.borrow_mut().push((part, body));
            }
            body = vec![0; body.len() * 2];
        }
    }
}
