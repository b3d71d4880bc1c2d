// SPDX-License-Identifier: GPL-2.0

//! How things look: text for people and scripts, JSON for machines. No I/O here.

pub(crate) mod dump;
pub(crate) mod events;
pub(crate) mod generations;
pub(crate) mod json;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod words;
pub(crate) mod xml_help;
