// SPDX-License-Identifier: GPL-2.0

//! The engine's value of a resource, and what the driver keeps beside it.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::control::RetCode;
use crate::engine::resource::{
    Effect,
    Output,
    Token,
    VolumeRecord, //
};
use crate::engine::state::DeviceState;
use crate::recorder::TracedResource;
use crate::status::Summary;

/// The engine's value and what belongs to it, under one lock. It is held for a step of the engine,
/// not for the step's effects: who only looks does not wait for a disk.
pub struct Core {
    /// What decides.
    pub decisions: TracedResource,
    /// What it knows of each volume, by position.
    pub records: KVec<VolumeRecord>,
    /// The volumes, at the same positions.
    pub devices: KVec<Arc<Device>>,
    /// What user space was told of all volumes together.
    pub told: Summary,
    /// What it was told of each volume, at the same positions.
    pub told_states: KVec<DeviceState>,
}

impl Core {
    /// A device's position; `None` if it is not of this resource any more.
    pub fn position(&self, device: &Arc<Device>) -> Option<usize> {
        self.devices.iter().position(|d| Arc::ptr_eq(d, device))
    }

    /// What is known of a device's volume; `None` as for [`Core::position`].
    pub fn record(&self, device: &Arc<Device>) -> Option<&VolumeRecord> {
        self.records.get(self.position(device)?)
    }
}

/// The effects of one event, until all are carried out.
pub(super) struct Queue {
    pub(super) list: KVec<Effect>,
    /// The answer to a command, until they are.
    pub(super) answer: Option<(Token, RetCode)>,
    /// Some found no place.
    pub(super) lost: bool,
}

impl Queue {
    /// An empty one, with room for `most`. May sleep.
    pub(super) fn new(most: usize) -> Result<Self> {
        Ok(Self {
            list: KVec::with_capacity(most, GFP_KERNEL)?,
            answer: None,
            lost: false,
        })
    }
}

impl Output for Queue {
    fn push(&mut self, effect: Effect) {
        self.lost |= self.list.push_within_capacity(effect).is_err();
    }
}
