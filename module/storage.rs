// SPDX-License-Identifier: GPL-2.0

//! Memory for the engine's tables: large kernel allocations, made when a volume is configured and
//! when a disk is attached, never on an I/O path.
#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::engine::storage::Storage;

/// The kernel's way to keep the engine's tables.
pub struct KernelStorage;

impl Storage for KernelStorage {
    type Array<T: 'static> = KVVec<T>;
}

/// Allocates an array of `count` copies of `value`. May sleep.
pub fn array<T: Clone>(count: usize, value: T) -> Result<KVVec<T>> {
    Ok(KVVec::from_elem(value, count, GFP_KERNEL)?)
}
