// SPDX-License-Identifier: GPL-2.0

//! Pacemaker as the one who knows whether a peer is dead, and who may not promote it meanwhile.
//!
//! A Primary that has lost its peer asks by its handler `fence-peer`. What Pacemaker knows is read
//! from its CIB (`cib`), what the own disks are from `/proc/drbd` (`disks`); what follows from both
//! is decided without asking anybody (`judge`), and carried out with Pacemaker's own commands
//! (`commands`).

pub(crate) mod cib;
pub(crate) mod commands;
pub(crate) mod disks;
pub(crate) mod judge;
