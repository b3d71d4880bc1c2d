// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers over the kernel's C interfaces: the only home of `unsafe` in this module.
//!
//! Rules of this folder:
//!
//! - Every wrapper is safe to use wrongly: wrong use gives an error or a wait, never a bad access.
//!   Driver files above forbid unsafe code and need nothing else than what is public here.
//! - One noun of the kernel per file. No decision about replication is taken here.
//! - Each public item says in which context it may be called: "may sleep" means process context
//!   without spinlocks; "any context" includes hard interrupts.
//! - C code is only in `shim.c`, and only where a macro, an inline or a hidden field leaves no
//!   other way.
//! - Memory for I/O is taken when objects are made. What allocates later says so.

pub mod bdev;
pub mod bio;
pub mod checksum;
pub mod clock;
pub mod crew;
pub mod debug_links;
pub mod digest;
pub mod disk;
pub mod genl;
pub mod helper;
pub mod lock;
pub mod log;
pub mod meta_io;
pub mod page;
pub mod params;
pub mod payload;
pub mod pin;
pub mod procfs;
pub mod reserves;
pub mod send;
pub mod send_batch;
mod shim;
pub mod short_list;
pub mod signal;
pub mod socket;
pub mod stack;
pub mod thread;
