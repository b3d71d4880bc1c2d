// SPDX-License-Identifier: GPL-2.0

//! Where the engine's tables live.

use core::ops::DerefMut;

/// Memory for the engine's tables. The driver decides how it is allocated; the engine only uses it.
pub trait Storage {
    /// An owned, fixed-size array of `T`.
    type Array<T: 'static>: DerefMut<Target = [T]>;
}
