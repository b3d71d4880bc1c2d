// SPDX-License-Identifier: GPL-2.0

//! The engine: every decision, and no I/O.
#![forbid(unsafe_code)]

pub mod bytes;
pub mod control;
pub mod options;
pub mod state;
pub mod wire;
