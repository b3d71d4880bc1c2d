// SPDX-License-Identifier: GPL-2.0

//! Digests that options name.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::str::CString;

use crate::engine::options::{
    FixedStr,
    OPTION_TEXT_MAX, //
};
use crate::sys::digest::Digest;

/// The digest of that name; `None` for an empty name. May sleep, may load a module.
///
/// Errors: `EINVAL` if the name is no text; those of [`Digest::new`].
pub fn find(name: &FixedStr<OPTION_TEXT_MAX>) -> Result<Option<Digest>> {
    let name = name.as_str().ok_or(EINVAL)?;
    if name.is_empty() {
        return Ok(None);
    }
    Digest::new(&CString::try_from_fmt(fmt!("{}", name))?).map(Some)
}
