// SPDX-License-Identifier: GPL-2.0

//! The program that libFuzzer drives.
//!
//! The environment variable `FUZZ_TARGET` names the target. With `FUZZ_SEEDS` it only writes the
//! inputs that the target starts from into that folder.
#![no_main]

use std::{
    env,
    fs,
    io,
    path::PathBuf,
    process,
    sync::OnceLock, //
};

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    fuzz::target(&name).unwrap_or_else(|| {
        eprintln!(
            "FUZZ_TARGET is '{name}', but must be one of:{}",
            fuzz::names()
        );
        process::exit(2)
    })
}

fn write_seeds(target: &Target, folder: PathBuf) -> io::Result<()> {
    fs::create_dir_all(&folder)?;
    for (at, seed) in (target.seeds)().iter().enumerate() {
        fs::write(folder.join(format!("seed-{at}")), seed)?;
    }
    Ok(())
}

fn start() {
    let target = TARGET.get_or_init(target);
    if let Some(folder) = env::var_os("FUZZ_SEEDS") {
        let written = write_seeds(target, folder.into());
        if let Err(error) = &written {
            eprintln!("cannot write the inputs to start from: {error}");
        }
        process::exit(i32::from(written.is_err()));
    }
}

fuzz_target!(init: start(), |bytes: &[u8]| {
    (TARGET.get_or_init(target).run)(bytes);
});
