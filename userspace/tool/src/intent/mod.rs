// SPDX-License-Identifier: GPL-2.0

//! What was meant: values checked as far as that is possible without the kernel.

mod address;
mod attach;
mod minor;
mod timeouts;

pub(crate) use address::{
    parse_endpoint,
    show_address,
    show_endpoint, //
};
pub(crate) use attach::{
    MetaPlace,
    NewDisk, //
};
pub(crate) use minor::parse_minor;
pub(crate) use timeouts::Timeouts;

use crate::failure::Failure;
use tandem_engine::options::FixedStr;

/// Checks the name of a resource.
pub(crate) fn resource_name(name: &str) -> Result<FixedStr<127>, Failure> {
    if name.is_empty() || name.contains('/') {
        return Err(Failure::invalid(
            format!("'{name}' cannot be the name of a resource"),
            "choose a name that is not empty and has no '/'",
        ));
    }
    FixedStr::new(name.as_bytes()).ok_or_else(|| {
        Failure::invalid(
            format!("the name '{name}' is too long"),
            "choose one of at most 127 bytes",
        )
    })
}
