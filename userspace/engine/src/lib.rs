// SPDX-License-Identifier: GPL-2.0

//! Tandem's engine as a Cargo crate: the very source that the kernel module compiles.
#![cfg_attr(not(test), no_std)]

#[path = "../../../module/engine/mod.rs"]
pub mod engine;
pub use engine::*;
