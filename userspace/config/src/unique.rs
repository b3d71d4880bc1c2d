// SPDX-License-Identifier: GPL-2.0

//! What may be used only once.

use crate::error::{
    Place,
    Problem, //
};
use std::collections::HashMap;

/// Names that are taken, each with the place that took it.
#[derive(Default)]
pub(crate) struct Unique {
    taken: HashMap<String, Place>,
}

impl Unique {
    /// Takes a name for a `what`.
    pub(crate) fn take(&mut self, what: &str, name: &str, place: &Place) -> Result<(), Problem> {
        let key = format!("{what}\0{name}");
        if let Some(first) = self.taken.get(&key) {
            return Err(Problem::new(
                place,
                format!("conflicting use of {what} '{name}', which is used first in {first}"),
            ));
        }
        self.taken.insert(key, place.clone());
        Ok(())
    }
}
