// SPDX-License-Identifier: GPL-2.0

//! What can be measured: the modules, and the disk below them.

use std::{path::PathBuf, str::FromStr};

use anyhow::{bail, Result};

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Module {
    /// The module of this checkout.
    Tandem,
    /// The stock kernel's C module.
    Drbd,
    /// The disk below, without replication.
    Bare,
    /// Another module that takes the commands of one of the two.
    Other {
        /// Its name in tables and in `target/bench.json`.
        name: String,
        /// The built module, on the host.
        path: PathBuf,
    },
}

impl Module {
    /// Its name in tables and in `target/bench.json`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Tandem => "tandem",
            Self::Drbd => "drbd",
            Self::Bare => "bare",
            Self::Other { name, .. } => name,
        }
    }

    /// What the guest's script knows it by.
    pub(crate) fn in_guest(&self) -> String {
        match self {
            Self::Other { name, .. } => format!("/run/{name}.ko"),
            known => known.name().into(),
        }
    }
}

impl FromStr for Module {
    type Err = anyhow::Error;

    /// Reads `tandem`, `drbd`, `bare`, `PATH` or `PATH=NAME`; without a name it has that of the
    /// file.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "tandem" => return Ok(Self::Tandem),
            "drbd" => return Ok(Self::Drbd),
            "bare" => return Ok(Self::Bare),
            _ => {}
        }
        let (path, name) = match text.split_once('=') {
            Some((path, name)) => (PathBuf::from(path), name.to_owned()),
            None => {
                let path = PathBuf::from(text);
                let stem = path.file_stem().unwrap_or_default();
                let name = stem.to_string_lossy().into_owned();
                (path, name)
            }
        };
        if path.extension().is_none_or(|extension| extension != "ko") {
            bail!("there are tandem, drbd, bare, and paths of built modules: FILE.ko=NAME");
        }
        if !path.is_file() {
            bail!("there is no file {}", path.display());
        }
        if ["tandem", "drbd", "bare"].contains(&name.as_str()) {
            bail!("it needs a name of its own: {}=NAME", path.display());
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
        if name.is_empty() || !name.chars().all(is_plain) {
            bail!("the name '{name}' has other characters than letters, digits, '-', '_' and '.'");
        }
        Ok(Self::Other { name, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_module_is_a_file_with_a_name_of_its_own() {
        let folder = std::env::temp_dir().join(format!("bench-module-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("tandem.ko");
        std::fs::write(&path, "").unwrap();
        let path = path.display();
        let module: Module = format!("{path}=before").parse().unwrap();
        assert_eq!(
            (module.name(), module.in_guest().as_str()),
            ("before", "/run/before.ko")
        );
        for wrong in [
            format!("{path}"),
            format!("{path}=a b"),
            "drdb".into(),
            "/nowhere/a.ko".into(),
        ] {
            assert!(wrong.parse::<Module>().is_err(), "{wrong}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
