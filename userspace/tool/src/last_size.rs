// SPDX-License-Identifier: GPL-2.0

//! How large the lower device of a minor was when we last looked. When a device with internal
//! metadata has grown while nobody used it, this tells where the metadata is. DRBD's own tools
//! keep the same file.

use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    }, //
};

/// Where the files are.
const FOLDER: &str = "/var/lib/drbd";

fn file(minor: u32) -> PathBuf {
    Path::new(FOLDER).join(format!("drbd-minor-{minor}.lkbd"))
}

/// What is remembered: bytes and a path on one line.
fn parse(text: &str) -> Option<u64> {
    let (bytes, _) = text.split_once('\t')?;
    bytes.parse().ok()
}

/// The size, in bytes.
pub(crate) fn of(minor: u32) -> Option<u64> {
    parse(&fs::read_to_string(file(minor)).ok()?)
}

/// Remembers a size, in bytes. Where that is not possible, `check-resize` will not help later;
/// that is no reason to fail now.
pub(crate) fn remember(minor: u32, bytes: u64, path: &Path) {
    let _ = fs::create_dir_all(FOLDER);
    let _ = fs::write(file(minor), format!("{bytes}\t{}\n", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_drbds_tools_is_read() {
        assert_eq!(parse("67108864\t/dev/vg/a\n"), Some(67_108_864));
        assert_eq!(parse(""), None);
        assert_eq!(parse("x\ty\n"), None);
    }
}
