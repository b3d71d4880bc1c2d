// SPDX-License-Identifier: GPL-2.0

//! Threads that run on the same processors: [`Crew`].

use super::{
    lock::Mutex,
    shim, //
};
use crate::engine::options::CpuMask;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::Arc, //
};

use core::ptr::NonNull;

/// What a crew knows of its threads.
///
/// # Invariants
///
/// Each of `tasks` is kept by the reference of its [`Thread`](super::thread::Thread), which leaves
/// before it gives that back.
struct Members {
    cpus: CpuMask,
    tasks: KVec<NonNull<bindings::task_struct>>,
}

// SAFETY: Tasks may be named from any thread, and are kept by the type invariant.
unsafe impl Send for Members {}

/// Threads that are given processors together, also those that come later.
pub struct Crew(Mutex<Members>);

/// Lets a thread run on these only; on all, if the mask names none.
///
/// # Safety
///
/// The task must be kept.
unsafe fn assign(task: *mut bindings::task_struct, cpus: CpuMask) -> Result {
    let [low, high] = cpus.words();
    // SAFETY: As this function requires.
    to_result(unsafe { shim::tandem_thread_cpus(task, low, high) })
}

impl Crew {
    /// Nobody, and all processors. May sleep.
    pub fn new() -> Result<Arc<Self>> {
        let members = Members {
            cpus: CpuMask::default(),
            tasks: KVec::new(),
        };
        let crew = Self(crate::mutex!(members, c"tandem_crew")?);
        Ok(Arc::new(crew, GFP_KERNEL)?)
    }

    /// From here on all run on these processors. May sleep.
    ///
    /// Errors: `EINVAL` if the mask names none that is there: then nothing has changed; `ENOMEM`.
    pub fn set_cpus(&self, cpus: CpuMask) -> Result {
        let mut members = self.0.lock();
        for task in &members.tasks {
            // SAFETY: The task is kept, by the type invariant.
            unsafe { assign(task.as_ptr(), cpus) }?;
        }
        members.cpus = cpus;
        Ok(())
    }

    /// A thread joins that `make` makes and that is kept until it leaves. May sleep.
    ///
    /// Errors: `ENOMEM`, and those of `make`.
    pub(super) fn enlist(
        &self,
        make: impl FnOnce() -> Result<NonNull<bindings::task_struct>>,
    ) -> Result<NonNull<bindings::task_struct>> {
        let mut members = self.0.lock();
        members.tasks.reserve(1, GFP_KERNEL)?;
        let task = make()?;
        members.tasks.push_within_capacity(task)?;
        Ok(task)
    }

    /// A thread leaves. May sleep.
    pub(super) fn leave(&self, task: NonNull<bindings::task_struct>) {
        self.0.lock().tasks.retain(|other| *other != task);
    }

    /// Called by a thread that has joined, when it begins: until then the kernel chooses its
    /// processors. May sleep.
    pub(super) fn begin(&self) {
        let members = self.0.lock();
        if members.cpus != CpuMask::default() {
            // Without memory it runs anywhere.
            // SAFETY: The calling task is kept while it runs.
            let _ = unsafe { assign(shim::tandem_current(), members.cpus) };
        }
    }
}
