// SPDX-License-Identifier: GPL-2.0

//! Where things are: the checkout, a run's folder, its sockets.

use std::{
    collections::hash_map::DefaultHasher,
    env, fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The checkout that this program was built from, or `TANDEM_REPOSITORY`.
pub fn repository() -> PathBuf {
    if let Some(path) = env::var_os("TANDEM_REPOSITORY") {
        return path.into();
    }
    // tests/vm is two levels down.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The folder of all runs.
pub fn runs() -> PathBuf {
    repository().join("target/vm")
}

/// The folder of one run: state, disks, consoles.
pub fn run_folder(name: &str) -> PathBuf {
    runs().join(name)
}

/// The folder of a run's sockets, made if needed. A socket's path has room for 107 bytes only, so
/// it is a short one outside the checkout, named by the run folder's hash.
pub(crate) fn socket_folder(run: &Path) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    run.hash(&mut hasher);
    let base = match env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if Path::new(&folder).is_dir() => PathBuf::from(folder),
        _ => env::temp_dir(),
    };
    let folder = base.join(format!("tandem-{:016x}", hasher.finish()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
