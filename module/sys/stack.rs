// SPDX-License-Identifier: GPL-2.0

//! How deep the calling task is already.

use super::shim;

/// No kernel stack of a task is larger.
const LARGEST: usize = 64 << 10;

/// Bytes of its kernel stack that the calling task still has; 0 where that cannot be told, as in an
/// interrupt, which has a stack of its own. Any context.
pub fn left() -> usize {
    match shim::tandem_stack_left() as usize {
        left if left <= LARGEST => left,
        _ => 0,
    }
}
