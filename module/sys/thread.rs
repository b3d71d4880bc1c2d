// SPDX-License-Identifier: GPL-2.0

//! Kernel threads that run one closure.

use super::{
    crew::Crew,
    shim, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    error::from_err_ptr,
    ffi::{
        c_int,
        c_uint,
        c_void, //
    },
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Completion, //
    },
    types::NotThreadSafe, //
};

use core::ptr::NonNull;

/// While this lives, its thread gets memory without waiting for block I/O, whatever the allocation
/// says: the I/O waited for might be our own, and wait for what the thread is doing.
pub struct NoIo {
    former: c_uint,
    _of_this_thread: NotThreadSafe,
}

impl NoIo {
    /// Begins here. Process context. Nested ones end in reverse order.
    pub fn enter() -> Self {
        Self {
            former: shim::tandem_no_io_save(),
            _of_this_thread: NotThreadSafe,
        }
    }
}

impl Drop for NoIo {
    fn drop(&mut self) {
        shim::tandem_no_io_restore(self.former);
    }
}

/// What a new thread is given: the closure, and where to say that it has returned.
struct Start<F> {
    run: F,
    crew: Arc<Crew>,
    done: Arc<Completion>,
}

/// A kernel thread that runs one closure; it gets no signals, and no memory that block I/O has to
/// free first.
///
/// Threads end when their closure returns: tell them by a flag of your own and wake them.
/// Dropping the handle waits for that too, so that no code of the module runs on unnoticed.
pub struct Thread {
    task: NonNull<bindings::task_struct>,
    crew: Arc<Crew>,
    done: Arc<Completion>,
}

// SAFETY: The handle holds a counted reference to the task, usable from any thread.
unsafe impl Send for Thread {}
// SAFETY: No method changes the handle through a shared reference.
unsafe impl Sync for Thread {}

impl Thread {
    /// Starts a thread named `name` (15 bytes are shown) that runs `run`, on the processors of its
    /// `crew`. May sleep.
    ///
    /// Use as `Thread::spawn(&crew, fmt!("drbd_w_{}", n), move || ...)`.
    ///
    /// Errors: `ENOMEM`, `EINTR` when the calling process is being killed.
    pub fn spawn<F>(crew: &Arc<Crew>, name: kernel::fmt::Arguments<'_>, run: F) -> Result<Self>
    where
        F: FnOnce() + Send + 'static,
    {
        let name = CString::try_from_fmt(name)?;
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let start = KBox::new(
            Start {
                run,
                crew: crew.clone(),
                done: done.clone(),
            },
            GFP_KERNEL,
        )?;
        let task = crew.enlist(|| create(name, start))?;
        // SAFETY: `task` is a fresh thread, kept by the reference that `create` took.
        unsafe { bindings::wake_up_process(task.as_ptr()) };
        Ok(Self {
            task,
            crew: crew.clone(),
            done,
        })
    }

    /// Waits until the closure has returned and the thread is gone. May sleep.
    pub fn join(self) {}

    /// Whether the calling task is this thread. Process context.
    pub fn is_current(&self) -> bool {
        shim::tandem_is_current(self.task.as_ptr())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // A thread that drops its own handle can't wait for itself. It goes on without one.
        if !self.is_current() {
            self.done.wait_for_completion();
            // SAFETY: We hold a reference to the task. The closure has returned, so stopping only
            // waits until the thread has left the code of this module.
            unsafe { bindings::kthread_stop(self.task.as_ptr()) };
        } else {
            pr_warn!("a thread dropped its own handle\n");
        }
        self.crew.leave(self.task);
        // SAFETY: Gives back the reference taken in `create`.
        unsafe { bindings::put_task_struct(self.task.as_ptr()) };
    }
}

/// Makes a thread that is not woken yet, with a reference to it.
fn create<F>(name: CString, start: KBox<Start<F>>) -> Result<NonNull<bindings::task_struct>>
where
    F: FnOnce() + Send + 'static,
{
    let data = KBox::into_raw(start);
    // SAFETY: `main::<F>` takes `data` back exactly once; "%s" takes one C string, which is
    // copied before the call returns.
    let task = from_err_ptr(unsafe {
        bindings::kthread_create_on_node(
            Some(main::<F>),
            data.cast::<c_void>(),
            bindings::NUMA_NO_NODE,
            c"%s".as_char_ptr(),
            name.as_char_ptr(),
        )
    })
    .inspect_err(|_| {
        // SAFETY: No thread was made, so `data` is ours again.
        drop(unsafe { KBox::from_raw(data) });
    })?;
    // SAFETY: A thread that wasn't woken yet can't be gone; the reference keeps it afterwards.
    unsafe { bindings::get_task_struct(task) };
    NonNull::new(task).ok_or(ENOMEM)
}

/// The C face of a thread: runs the closure, then says so.
///
/// # Safety
///
/// `data` must come from `KBox::into_raw` of a `Start<F>`, and be passed once.
unsafe extern "C" fn main<F: FnOnce()>(data: *mut c_void) -> c_int {
    // SAFETY: As this function requires.
    let start = unsafe { KBox::from_raw(data.cast::<Start<F>>()) };
    let Start { run, crew, done } = KBox::into_inner(start);
    crew.begin();
    drop(crew);
    let no_io = NoIo::enter();
    run();
    drop(no_io);
    done.complete_all();
    0
}

/// Gives the calling thread real-time priority of the lowest kind (FIFO). Process context.
pub fn set_fifo_low() {
    shim::tandem_thread_priority(true);
}

/// From here on the calling thread wakes up without taking the processor from who runs there: it
/// lets work gather. Its share of the processors stays the same. Process context.
pub fn set_batch() {
    shim::tandem_thread_batch();
}

/// Gives the calling thread normal priority again. Process context.
pub fn set_normal() {
    shim::tandem_thread_priority(false);
}
