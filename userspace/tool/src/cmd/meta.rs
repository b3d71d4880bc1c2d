// SPDX-License-Identifier: GPL-2.0

//! `tandem meta`.

use crate::{
    cli::meta::Meta,
    failure::{
        Failure,
        Outcome, //
    }, //
};

/// Does what was asked for.
pub(crate) fn run(meta: &Meta) -> Outcome {
    let _ = (
        &meta.minor.0,
        &meta.version,
        &meta.device,
        &meta.index,
        meta.force,
        &meta.command,
    );
    Err(Failure::invalid("not built yet", ""))
}
