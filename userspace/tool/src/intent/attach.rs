// SPDX-License-Identifier: GPL-2.0

//! A disk to attach: paths that are block devices, and the place of the metadata.

use crate::failure::Failure;
use std::{
    os::unix::{
        ffi::OsStrExt,
        fs::FileTypeExt, //
    },
    path::Path, //
};
use tandem_engine::options::FixedStr;

/// Where the metadata is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaPlace {
    /// At the end of the lower device.
    Internal,
    /// On a device of its own, from its start.
    FlexibleExternal,
    /// On a device of its own, in one of its slots of 128 MiB.
    Index(i32),
}

impl MetaPlace {
    /// Reads the last argument of `attach`, or the fourth of `drbdmeta`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "internal" | "flex-internal" => Ok(MetaPlace::Internal),
            "flexible" | "flex-external" => Ok(MetaPlace::FlexibleExternal),
            text => text
                .parse()
                .ok()
                .filter(|index| *index >= 0)
                .map(MetaPlace::Index)
                .ok_or_else(|| {
                    Failure::invalid(
                        format!("'{text}' is no place for metadata"),
                        "give 'internal', 'flexible', or an index from 0",
                    )
                }),
        }
    }

    /// The number on netlink.
    pub(crate) fn number(self) -> i32 {
        match self {
            MetaPlace::Internal => -3,
            MetaPlace::FlexibleExternal => -2,
            MetaPlace::Index(index) => index,
        }
    }
}

/// A disk to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewDisk {
    /// Lower device.
    pub(crate) lower: FixedStr<127>,
    /// Device with the metadata.
    pub(crate) meta: FixedStr<127>,
    /// Place on it.
    pub(crate) place: MetaPlace,
}

impl NewDisk {
    /// Checks the arguments of `attach`, and that both paths are block devices.
    pub(crate) fn new(lower: &Path, meta: &Path, index: &str) -> Result<Self, Failure> {
        let place = MetaPlace::parse(index)?;
        let meta = if meta == Path::new("internal") {
            lower
        } else {
            meta
        };
        check_block_device(lower)?;
        check_block_device(meta)?;
        Ok(Self {
            lower: path_text(lower)?,
            meta: path_text(meta)?,
            place,
        })
    }
}

/// Refuses what is not a block device.
fn check_block_device(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| {
        Failure::invalid(
            format!("cannot use device '{shown}': {error}"),
            "check the path; lsblk lists block devices",
        )
    })?;
    if metadata.file_type().is_block_device() {
        return Ok(());
    }
    Err(Failure::invalid(
        format!("'{shown}' is not a block device"),
        "give a disk, partition, logical volume or loop device (losetup)",
    ))
}

fn path_text(path: &Path) -> Result<FixedStr<127>, Failure> {
    FixedStr::new(path.as_os_str().as_bytes()).ok_or_else(|| {
        Failure::invalid(
            format!("the path '{}' is too long", path.display()),
            "give one of at most 127 bytes, such as a symbolic link",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_numbers_of_the_kernel() {
        for (text, number) in [
            ("internal", -3),
            ("flex-internal", -3),
            ("flexible", -2),
            ("flex-external", -2),
            ("0", 0),
            ("12", 12),
        ] {
            let place = MetaPlace::parse(text).unwrap();
            assert_eq!(place.number(), number, "{text}");
        }
    }

    #[test]
    fn other_places_are_refused() {
        for text in ["-1", "x", "", "2147483648"] {
            assert!(MetaPlace::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_that_is_no_block_device_is_refused() {
        let null = Path::new("/dev/null");
        assert!(NewDisk::new(null, null, "internal").is_err());
    }
}
