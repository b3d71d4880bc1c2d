// SPDX-License-Identifier: GPL-2.0

//! The files behind the machines' disks, looked at from outside.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use anyhow::{bail, Context, Result};

/// Bytes compared at a time.
const PIECE: u64 = 1 << 20;

/// Fails unless the first `bytes` bytes of two files are the same.
pub(crate) fn expect_equal(one: &Path, other: &Path, bytes: u64) -> Result<()> {
    let open = |path: &Path| -> Result<_> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(BufReader::with_capacity(PIECE as usize, file))
    };
    let (mut one, mut other) = (open(one)?, open(other)?);
    let mut at = 0;
    while at < bytes {
        let piece = PIECE.min(bytes - at) as usize;
        let (mut here, mut there) = (vec![0; piece], vec![0; piece]);
        one.read_exact(&mut here)?;
        other.read_exact(&mut there)?;
        if let Some(first) = here.iter().zip(&there).position(|(x, y)| x != y) {
            let byte = at + first as u64;
            bail!("the two disks differ although both are UpToDate, first at byte {byte}");
        }
        at += piece as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::expect_equal;

    #[test]
    fn a_difference_is_found_and_named() {
        let folder = env::temp_dir().join(format!("demo-disks-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (one, other) = (folder.join("one"), folder.join("other"));
        fs::write(&one, b"same, same").unwrap();
        fs::write(&other, b"same, some").unwrap();
        assert!(expect_equal(&one, &other, 6).is_ok());
        let error = expect_equal(&one, &other, 10).unwrap_err();
        assert!(error.to_string().ends_with("byte 7"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
