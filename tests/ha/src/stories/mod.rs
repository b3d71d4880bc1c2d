// SPDX-License-Identifier: GPL-2.0

//! The stories: each does one mischief, says what comes of it, and leaves a cluster that is well.

mod all_links;
mod disk;
mod lost;
mod reboot;
mod replication_link;
mod switch_over;

use anyhow::Result;

use crate::{stage::Stage, table::Row};

/// A story.
pub(crate) struct Story {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What happens in it.
    pub(crate) title: &'static str,
    /// Plays it.
    pub(crate) tell: fn(&mut Stage<'_>) -> Result<Row>,
}

/// All of them, in the order of the demonstration.
pub(crate) const ALL: &[Story] = &[
    lost::POWER_CUT,
    lost::PANIC,
    all_links::STORY,
    replication_link::STORY,
    disk::STORY,
    switch_over::STORY,
    reboot::STORY,
];

/// Those whose names have one of some texts in them; all when there is no text.
pub(crate) fn chosen(texts: &[String]) -> Result<Vec<&'static Story>> {
    let is_chosen = |story: &&Story| {
        let mut wanted = texts.iter();
        texts.is_empty() || wanted.any(|text| story.name.contains(text.as_str()))
    };
    Ok(ALL.iter().filter(is_chosen).collect())
}
