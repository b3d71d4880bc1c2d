// SPDX-License-Identifier: GPL-2.0

//! Keeps the module loaded.

use super::shim;
use kernel::bindings;

/// While there is one of these, the module can't be unloaded (`rmmod` says that it is in use).
pub struct ModulePin(());

impl ModulePin {
    /// Pins the module; `None` when it is being unloaded already. Any context.
    pub fn new() -> Option<Self> {
        // SAFETY: Our own module, whose code is running.
        let pinned =
            unsafe { bindings::try_module_get((&raw const shim::__this_module).cast_mut().cast()) };
        pinned.then_some(Self(()))
    }
}

impl Drop for ModulePin {
    fn drop(&mut self) {
        // SAFETY: Gives back what `new` took. The module's end waits for whoever runs this: its
        // threads are joined and its handlers waited for.
        unsafe { bindings::module_put((&raw const shim::__this_module).cast_mut().cast()) };
    }
}
