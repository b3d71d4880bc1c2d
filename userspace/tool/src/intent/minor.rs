// SPDX-License-Identifier: GPL-2.0

//! Minors: by number, by device path, or as `minor-N`.

use std::os::unix::fs::{
    FileTypeExt,
    MetadataExt, //
};
use tandem_engine::control::MINOR_MAX;

/// Major number of all DRBD devices.
const DRBD_MAJOR: u32 = 147;

/// Reads a minor: a number, `minor-N`, or the path of a block device.
pub(crate) fn parse_minor(text: &str) -> Result<u32, String> {
    let digits = text
        .strip_prefix("minor-")
        .or_else(|| text.strip_prefix("/dev/drbd"))
        .or_else(|| text.strip_prefix("drbd"))
        .unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits
            .parse()
            .ok()
            .filter(|minor| *minor <= MINOR_MAX)
            .ok_or_else(|| format!("minors go from 0 to {MINOR_MAX}"));
    }
    minor_of_device(text)
}

fn minor_of_device(path: &str) -> Result<u32, String> {
    let metadata = std::fs::metadata(path)
        .map_err(|error| format!("neither a minor number nor a device: {error}"))?;
    if !metadata.file_type().is_block_device() {
        return Err("not a block device".into());
    }
    let device = metadata.rdev();
    match rustix::fs::major(device) {
        DRBD_MAJOR => Ok(rustix::fs::minor(device)),
        major => Err(format!(
            "a device of major {major}; replicated devices have major {DRBD_MAJOR}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_of_minors_are_read() {
        for text in ["7", "minor-7", "/dev/drbd7", "drbd7"] {
            assert_eq!(parse_minor(text), Ok(7), "{text}");
        }
        assert_eq!(parse_minor("1048575"), Ok(1_048_575));
    }

    #[test]
    fn minors_out_of_range_and_other_files_are_refused() {
        assert!(parse_minor("1048576").unwrap_err().contains("1048575"));
        assert!(parse_minor("/dev/null")
            .unwrap_err()
            .contains("not a block"));
        assert!(parse_minor("r0").unwrap_err().contains("neither"));
        assert!(parse_minor("").is_err());
        assert!(parse_minor("99999999999").is_err());
    }
}
