// SPDX-License-Identifier: GPL-2.0

//! Metadata of a volume, version 08: superblock, activity log and dirty bitmap.
//!
//! The formats on disk are those of DRBD 8.4, so `drbdmeta` reads and repairs them.

pub mod activity_log;
pub mod activity_log_block;
pub mod activity_log_commit;
pub mod activity_log_size;
pub mod activity_log_view;
pub mod bitmap;
pub mod geometry;
pub mod relocation;
pub mod superblock;
