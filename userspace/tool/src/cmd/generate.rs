// SPDX-License-Identifier: GPL-2.0

//! `generate`: the manual and the completions of shells. They come from the definitions that read
//! the command line, and these from the engine's option tables: ranges and defaults cannot differ.

use crate::{
    cli::{
        definition,
        Generate, //
    },
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    }, //
};
use clap::Command;
use clap_complete::Shell;
use std::{
    fs,
    io,
    path::Path, //
};

/// Names by which DRBD's tools are known, and the part of this tool that each is.
const NAMES: [(&str, &str); 3] = [
    ("drbdsetup", "setup"),
    ("drbdmeta", "meta"),
    ("drbdadm", "adm"),
];

/// Writes what was asked for.
pub(super) fn run(what: &Generate) -> Outcome {
    let failed = |error: io::Error| Failure::Other(error.into());
    if let Some(folder) = &what.man {
        fs::create_dir_all(folder).map_err(failed)?;
        page(folder, &definition(), "tandem").map_err(failed)?;
    }
    if let Some(folder) = &what.completions {
        completions(folder).map_err(failed)?;
    }
    Ok(Exit::Success)
}

/// A page for the command, and one for each of its parts.
fn page(folder: &Path, command: &Command, name: &str) -> io::Result<()> {
    let title = name.to_uppercase();
    let built = command
        .clone()
        .display_name(name.to_owned())
        .bin_name(name.replace('-', " "));
    let manual = clap_mangen::Man::new(built)
        .title(title)
        .section("8")
        .source("Tandem");
    let mut text = Vec::new();
    manual.render(&mut text)?;
    fs::write(folder.join(format!("{name}.8")), text)?;
    for part in command.get_subcommands() {
        if part.get_name() == "generate" || part.get_name() == "help" {
            continue;
        }
        let name = format!("{name}-{}", part.get_name());
        page(folder, part, &name)?;
    }
    Ok(())
}

/// Completions for bash, zsh and fish: for `tandem`, and for the names of DRBD's tools.
fn completions(folder: &Path) -> io::Result<()> {
    for (shell, name) in [
        (Shell::Bash, "bash"),
        (Shell::Zsh, "zsh"),
        (Shell::Fish, "fish"),
    ] {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        let whole = definition();
        clap_complete::generate_to(shell, &mut whole.clone(), "tandem", &folder)?;
        for (name, part) in NAMES {
            if let Some(part) = whole.find_subcommand(part) {
                let mut part = part.clone().name(name);
                clap_complete::generate_to(shell, &mut part, name, &folder)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_a_page_for_every_command_with_ranges_and_defaults() {
        let folder = std::env::temp_dir().join(format!("tandem-man-{}", std::process::id()));
        let what = Generate {
            man: Some(folder.join("man")),
            completions: Some(folder.join("completions")),
        };
        run(&what).unwrap();
        let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
        let page = read("man/tandem-setup-disk-options.8");
        assert!(page.contains("67..65534"), "{page}");
        assert!(page.contains("default: 1237"), "{page}");
        for page in [
            "tandem",
            "tandem-meta-create-md",
            "tandem-adm-up",
            "tandem-doctor",
        ] {
            assert!(!read(&format!("man/{page}.8")).is_empty(), "{page}");
        }
        assert!(read("completions/bash/drbdadm.bash").contains("wait-connect"));
        assert!(read("completions/fish/tandem.fish").contains("al-extents"));
        fs::remove_dir_all(folder).unwrap();
    }
}
