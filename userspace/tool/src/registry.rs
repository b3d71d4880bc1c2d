// SPDX-License-Identifier: GPL-2.0

//! Which configuration a resource or minor was set up from. The kernel calls handlers without
//! naming a file; `drbdadm` remembers it in links, and so do we, in the same place.

use crate::intent::parse_minor;
use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    }, //
};

/// Where the links are.
const FOLDER: &str = "/var/run/drbd";

fn link_of_minor(minor: u32) -> PathBuf {
    Path::new(FOLDER).join(format!("drbd-minor-{minor}.conf"))
}

fn link_of_resource(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("drbd-resource-{name}.conf"))
}

/// The file that something was set up from, if that is known and still there.
pub(crate) fn file_of(name: &str) -> Option<PathBuf> {
    let link = match parse_minor(name) {
        Ok(minor) => link_of_minor(minor),
        Err(_) => link_of_resource(name),
    };
    fs::read_link(link).ok().filter(|file| file.exists())
}

/// Remembers the file of a minor.
pub(crate) fn remember_minor(minor: u32, file: &Path) {
    remember(&link_of_minor(minor), file);
}

/// Remembers the file of a resource.
pub(crate) fn remember_resource(name: &str, file: &Path) {
    remember(&link_of_resource(name), file);
}

/// A link that cannot be made is no reason to fail: then handlers read the usual file.
fn remember(link: &Path, file: &Path) {
    if fs::read_link(link).is_ok_and(|present| present == file) {
        return;
    }
    let _ = fs::create_dir_all(FOLDER);
    let _ = fs::remove_file(link);
    let _ = std::os::unix::fs::symlink(file, link);
}

/// Forgets the file of a minor that is gone.
pub(crate) fn forget_minor(minor: u32) {
    let _ = fs::remove_file(link_of_minor(minor));
}

/// Forgets the file of a resource that is gone.
pub(crate) fn forget_resource(name: &str) {
    let _ = fs::remove_file(link_of_resource(name));
}
