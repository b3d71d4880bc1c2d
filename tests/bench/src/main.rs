// SPDX-License-Identifier: GPL-2.0

//! `make bench`: not written yet, and says so.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("bench: error: there is no benchmark yet; nothing was measured");
    ExitCode::FAILURE
}
