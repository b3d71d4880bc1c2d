// SPDX-License-Identifier: GPL-2.0

//! A folder of symbolic links in debugfs, which the kernel's own abstraction of it has not.

use kernel::{
    bindings,
    prelude::*,
    sync::Arc, //
};

/// What debugfs made: a dentry, or an error, or nothing. Gone when dropped, with all below it.
struct Node(*mut bindings::dentry);

// SAFETY: The dentry is ours, and the functions that take it may be called from any thread.
unsafe impl Send for Node {}
// SAFETY: As above; nothing changes it through a shared reference.
unsafe impl Sync for Node {}

impl Drop for Node {
    fn drop(&mut self) {
        // SAFETY: It was made by debugfs, which takes its errors and nothing, too.
        unsafe { bindings::debugfs_remove(self.0) };
    }
}

/// A folder for links. Where debugfs fails, it is empty.
#[derive(Clone)]
pub struct LinkFolder(Arc<Node>);

/// One link; gone when dropped. Keeps its folder.
pub struct Link {
    _node: Node,
    _folder: LinkFolder,
}

impl LinkFolder {
    /// Makes the folder `name` in a folder `parent` of debugfs, which outlives it. May sleep.
    ///
    /// Errors: `ENOMEM`.
    pub fn new(parent: &CStr, name: &CStr) -> Result<Self> {
        // SAFETY: The name is a C string; without a parent it is looked for at the top.
        let above =
            unsafe { bindings::debugfs_lookup(parent.as_char_ptr(), core::ptr::null_mut()) };
        let node = if above.is_null() {
            Node(above)
        } else {
            // SAFETY: The name is a C string, and the lookup holds a reference to the parent.
            let node = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), above) };
            // SAFETY: Gives back the reference of the lookup.
            unsafe { bindings::dput(above) };
            Node(node)
        };
        Ok(Self(Arc::new(node, GFP_KERNEL)?))
    }

    /// Makes a link. May sleep.
    pub fn link(&self, name: &CStr, target: &CStr) -> Link {
        let folder = self.0 .0;
        let node = if folder.is_null() {
            Node(folder)
        } else {
            // SAFETY: Both are C strings, which are copied; the folder is kept by `self`, or is an
            // error, which debugfs passes on.
            Node(unsafe {
                bindings::debugfs_create_symlink(name.as_char_ptr(), folder, target.as_char_ptr())
            })
        };
        Link {
            _node: node,
            _folder: self.clone(),
        }
    }
}
