// SPDX-License-Identifier: GPL-2.0

//! Files in `/proc` that are made anew each time they are read.

use super::shim::{
    self,
    ProcDirEntry, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    error::from_result,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    seq_file::SeqFile, //
};

use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    },
};

/// What is in a file.
pub trait Show: Send + Sync + 'static {
    /// Prints it with `seq_print!`. May sleep; called again with more room if it had too little.
    fn show(&self, to: &SeqFile) -> Result;
}

/// A file in `/proc`, readable by all; removed when dropped, which waits for its readers.
pub struct ProcFile<S: Show> {
    entry: NonNull<ProcDirEntry>,
    show: NonNull<S>,
    _owned: PhantomData<S>,
}

// SAFETY: The shown value is `Send` and `Sync`; the entry isn't changed but for removal.
unsafe impl<S: Show> Send for ProcFile<S> {}
// SAFETY: As above.
unsafe impl<S: Show> Sync for ProcFile<S> {}

impl<S: Show> ProcFile<S> {
    /// Makes the file. May sleep.
    ///
    /// Errors: `ENOMEM`, also if there is one of this name.
    pub fn new(name: &'static CStr, show: S) -> Result<Self> {
        const READABLE: u16 = 0o100_444;
        let show = KBox::into_raw(KBox::new(show, GFP_KERNEL)?);
        // SAFETY: The name is a C string, `show_file` takes what is given to it, which lives until
        // the file is gone.
        let entry = unsafe {
            shim::proc_create_single_data(
                name.as_char_ptr(),
                READABLE,
                null_mut(),
                show_file::<S>,
                show.cast::<c_void>(),
            )
        };
        let (Some(entry), Some(kept)) = (NonNull::new(entry), NonNull::new(show)) else {
            // SAFETY: No file was made, so it is ours again.
            drop(unsafe { KBox::from_raw(show) });
            return Err(ENOMEM);
        };
        Ok(Self {
            entry,
            show: kept,
            _owned: PhantomData,
        })
    }
}

impl<S: Show> Drop for ProcFile<S> {
    fn drop(&mut self) {
        // SAFETY: The entry is ours. Waits for all readers.
        unsafe { shim::proc_remove(self.entry.as_ptr()) };
        // SAFETY: Nobody reads it any more.
        drop(unsafe { KBox::from_raw(self.show.as_ptr()) });
    }
}

/// # Safety
///
/// Called by the kernel for a file made by `ProcFile::new::<S>`.
unsafe extern "C" fn show_file<S: Show>(to: *mut bindings::seq_file, _: *mut c_void) -> c_int {
    // SAFETY: The kernel's file lives during this call; its private field is what we gave.
    let (show, to) = unsafe { (&*(*to).private.cast::<S>(), SeqFile::from_raw(to)) };
    from_result(|| {
        show.show(to)?;
        Ok(0)
    })
}
