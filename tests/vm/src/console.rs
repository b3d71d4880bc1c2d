// SPDX-License-Identifier: GPL-2.0

//! Reading a guest's console log: how far a boot came, and whether the kernel complained.

use std::{fmt, fs, path::Path};

use anyhow::{Context, Result};

use crate::spec::Driver;

/// What the guest's init says right before it loads the driver.
const LOADS_DRIVER: &str = "tandem-vm: ";

/// Lines with any of these are a complaint of the kernel.
const COMPLAINTS: &[&str] = &[
    "BUG:",
    "WARNING:",
    "Oops:",
    "kernel BUG at",
    "Kernel panic",
    "general protection fault",
    "Unable to handle kernel",
    "unable to handle page fault",
    "INFO: task ",
    "INFO: possible ",
    "INFO: rcu_",
    "rcu: INFO:",
    "possible circular locking",
    "possible recursive locking",
    "suspicious RCU usage",
    "inconsistent lock state",
    "KASAN:",
    "KCSAN:",
    "UBSAN:",
    "KFENCE:",
    "refcount_t:",
    "list_add corruption",
    "list_del corruption",
    "Objects remaining",
    // What was made is not gone yet, or will never be: a folder of debugfs, a device's number.
    "already exists in '",
    "cannot get major",
    "panicked at",
    // What our module says of a broken invariant of its own.
    "internal error:",
];

/// Complaints that are the C module's own and known: it sleeps inside a read-side section after a
/// fence-peer handler succeeded.
const KNOWN_OF_DRBD: &[&str] = &[
    "Voluntary context switch within RCU read-side critical section",
    "at rcu_note_context_switch+",
];

/// Lines after a complaint that are quoted with it.
const QUOTED: usize = 40;

/// A complaint of a guest's kernel, with the lines after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splat {
    /// The node.
    pub node: String,
    /// The complaint's line and what follows it.
    pub text: String,
}

impl fmt::Display for Splat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the kernel of node {} complains:\n{}",
            self.node, self.text
        )
    }
}

/// The console's text; a console that is not there yet is empty.
pub(crate) fn read(path: &Path) -> Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Whether the boot whose output this is came as far as loading the driver.
pub(crate) fn reached_driver(text: &str) -> bool {
    text.contains(LOADS_DRIVER)
}

/// The first complaint in a console's text that is not known of this driver.
pub(crate) fn complaint(node: &str, driver: Driver, text: &str) -> Option<Splat> {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| {
        COMPLAINTS.iter().any(|complaint| line.contains(complaint))
            && !(driver == Driver::Drbd && KNOWN_OF_DRBD.iter().any(|known| line.contains(known)))
    })?;
    let end = lines.len().min(first + QUOTED);
    Some(Splat {
        node: node.into(),
        text: lines[first..end].join("\n"),
    })
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oops_is_a_complaint_and_quoted() {
        let text = "fine\n[ 1.0] BUG: kernel NULL pointer dereference\nRIP: x\n";
        let splat = complaint("a", Driver::Tandem, text).unwrap();
        assert!(splat.text.starts_with("[ 1.0] BUG:"));
        assert!(splat.text.ends_with("RIP: x"));
    }

    #[test]
    fn only_the_c_module_is_forgiven_its_known_warning() {
        for text in [
            "WARNING: Voluntary context switch within RCU read-side critical section!",
            "WARNING: kernel/rcu/tree_plugin.h:332 at rcu_note_context_switch+0x375/0x590, CPU#0",
        ] {
            assert!(complaint("a", Driver::Drbd, text).is_none());
            assert!(complaint("a", Driver::Tandem, text).is_some());
        }
    }
}
