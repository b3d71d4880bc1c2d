// SPDX-License-Identifier: GPL-2.0

//! What `adjust-with-progress` prints: a line for each stage, with the resources that have a part
//! in it, and which of their commands failed, in the words of `drbdadm`:
//!
//! ```text
//! [
//!      create res: r0:failed(new-resource:10) r1
//!    prepare disk: [skipped:r0] r1
//! ]
//! ```

use std::io::{
    self,
    Write, //
};

/// An account of steps as they are done, on standard output.
pub(super) struct Account {
    on: bool,
    /// The resource that was named last in this line.
    named: Option<String>,
}

impl Account {
    /// Begins, if anything is to be told.
    pub(super) fn begin(on: bool) -> Self {
        let account = Self { on, named: None };
        account.say("[");
        account
    }

    /// Whether it is told.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// A stage begins.
    pub(super) fn stage(&mut self, title: &str) {
        self.named = None;
        self.say(&format!("\n{title:>15}:"));
    }

    /// A step of a resource begins, or is left out as one before failed.
    pub(super) fn step(&mut self, resource: &str, left_alone: bool) {
        if self.named.as_deref() == Some(resource) {
            return;
        }
        self.named = Some(resource.to_owned());
        self.say(&match left_alone {
            true => format!(" [skipped:{resource}]"),
            false => format!(" {resource}"),
        });
    }

    /// The step has failed.
    pub(super) fn failed(&self, command: &str, code: u8) {
        self.say(&format!(":failed({command}:{code})"));
    }

    /// All is done.
    pub(super) fn end(self) {
        self.say("\n]\n");
    }

    fn say(&self, text: &str) {
        if self.on {
            // Whoever closed the output does not want to know.
            let mut out = io::stdout().lock();
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    }
}
