// SPDX-License-Identifier: GPL-2.0

//! What lies on a device before metadata is written there, and how far it reaches.
//!
//! Known are the contents that `drbdmeta` knows, and a few that came later. All is read from the
//! first 68 KiB: no other program has to be there, and image files work like devices.

use super::device::{
    MetaDevice,
    BLOCK, //
};
use crate::failure::Failure;

/// Bytes that are looked at: the super blocks of btrfs and ReiserFS lie at 64 KiB.
const LOOKED_AT: usize = 68 << 10;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// Only zeros.
    Nothing,
    /// Something that is not known, or does not tell what it uses.
    Something(&'static str),
    /// A known format that uses the device from its beginning on.
    Known {
        /// Which one.
        format: Format,
        /// How much of the device it uses, in bytes; none if that cannot be told.
        bytes: Option<u64>,
    },
}

/// A format that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Ext,
    Xfs,
    Btrfs,
    Jfs,
    Reiser,
    Swap,
    Lvm,
    Luks,
}

impl Format {
    /// Its name in a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ext => "an ext2, ext3 or ext4 file system",
            Self::Xfs => "an XFS file system",
            Self::Btrfs => "a btrfs file system",
            Self::Jfs => "a JFS file system",
            Self::Reiser => "a ReiserFS file system",
            Self::Swap => "swap space",
            Self::Lvm => "an LVM physical volume",
            Self::Luks => "an encrypted volume (LUKS)",
        }
    }

    /// How to make room for the metadata, behind `kib` KiB; none for what can only be given up.
    pub(super) fn how_to_make_room(self, device: &str, kib: u64) -> Option<String> {
        Some(match self {
            Self::Ext => {
                format!("shrink it first: e2fsck -f {device} && resize2fs {device} {kib}K")
            }
            Self::Btrfs => {
                format!("shrink it first: mount it, and btrfs filesystem resize {kib}K MOUNTPOINT")
            }
            Self::Reiser => format!("shrink it first: resize_reiserfs -s {kib}K {device}"),
            Self::Lvm => {
                format!("shrink it first: pvresize --setphysicalvolumesize {kib}k {device}")
            }
            Self::Xfs | Self::Jfs => "it cannot be shrunk: use a larger device".to_owned(),
            Self::Swap | Self::Luks => return None,
        })
    }
}

impl Contents {
    /// Looks at the beginning of the device.
    pub(super) fn of(device: &MetaDevice) -> Result<Self, Failure> {
        let available = device.sectors().saturating_mul(512);
        let mut image = Vec::with_capacity(LOOKED_AT);
        while image.len() < LOOKED_AT && (image.len() + BLOCK) as u64 <= available {
            let block = device
                .read_block(image.len() as u64 / 512)
                .map_err(|error| device.failed("read", &error))?;
            image.extend_from_slice(&block);
        }
        Ok(Self::in_image(&Image(&image)))
    }

    fn in_image(image: &Image<'_>) -> Self {
        // As drbdmeta: swap and LVM before file systems, of which they may keep old super blocks.
        let known = [swap, lvm, luks, ext, xfs, btrfs, jfs, reiser]
            .iter()
            .find_map(|probe| probe(image));
        match known {
            Some((format, bytes)) => Self::Known { format, bytes },
            None if image.has(512, b"EFI PART") || image.has(510, b"\x55\xaa") => {
                Self::Something("a partition table or boot sector")
            }
            None if image.0.iter().any(|byte| *byte != 0) => Self::Something("some data"),
            None => Self::Nothing,
        }
    }
}

/// The first bytes of a device; what lies behind them reads as 0.
struct Image<'a>(&'a [u8]);

impl Image<'_> {
    fn has(&self, at: usize, bytes: &[u8]) -> bool {
        self.0.get(at..).is_some_and(|rest| rest.starts_with(bytes))
    }

    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or([0; N])
    }

    fn le16(&self, at: usize) -> u64 {
        u16::from_le_bytes(self.bytes(at)).into()
    }

    fn le32(&self, at: usize) -> u64 {
        u32::from_le_bytes(self.bytes(at)).into()
    }

    fn le64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    fn be32(&self, at: usize) -> u64 {
        u32::from_be_bytes(self.bytes(at)).into()
    }

    fn be64(&self, at: usize) -> u64 {
        u64::from_be_bytes(self.bytes(at))
    }
}

/// A format, and the bytes that it uses if it tells.
type Found = Option<(Format, Option<u64>)>;

/// Bytes of so many blocks; none if that cannot be.
fn used(blocks: u64, block_size: u64) -> Option<u64> {
    blocks.checked_mul(block_size).filter(|bytes| *bytes != 0)
}

fn ext(image: &Image<'_>) -> Found {
    const SUPER: usize = 1024;
    const INCOMPAT_64BIT: u64 = 0x80;
    if !image.has(SUPER + 0x38, b"\x53\xef") {
        return None;
    }
    let high = match image.le32(SUPER + 0x60) & INCOMPAT_64BIT {
        0 => 0,
        _ => image.le32(SUPER + 0x150),
    };
    let block_size = u32::try_from(image.le32(SUPER + 0x18))
        .ok()
        .filter(|shift| *shift <= 6)
        .map(|shift| 1024 << shift);
    let blocks = high << 32 | image.le32(SUPER + 0x4);
    Some((Format::Ext, block_size.and_then(|size| used(blocks, size))))
}

fn xfs(image: &Image<'_>) -> Found {
    image
        .has(0, b"XFSB")
        .then(|| (Format::Xfs, used(image.be64(8), image.be32(4))))
}

fn btrfs(image: &Image<'_>) -> Found {
    const SUPER: usize = 64 << 10;
    // The bytes of this device; the file system may have others.
    image
        .has(SUPER + 0x40, b"_BHRfS_M")
        .then(|| (Format::Btrfs, used(image.le64(SUPER + 0xd1), 1)))
}

fn jfs(image: &Image<'_>) -> Found {
    const SUPER: usize = 32 << 10;
    // Its size counts in the device's blocks, not in its own.
    image.has(SUPER, b"JFS1").then(|| {
        (
            Format::Jfs,
            used(image.le64(SUPER + 8), image.le32(SUPER + 24)),
        )
    })
}

fn reiser(image: &Image<'_>) -> Found {
    const SUPER: usize = 64 << 10;
    (image.has(SUPER + 0x34, b"ReIsErFs") || image.has(SUPER + 0x34, b"ReIsEr2Fs")).then(|| {
        (
            Format::Reiser,
            used(image.le32(SUPER), image.le16(SUPER + 0x2c)),
        )
    })
}

/// Swap space is made anew sooner than shrunk: as with `drbdmeta`, no size of it is right.
fn swap(image: &Image<'_>) -> Found {
    [4 << 10, 8 << 10, 16 << 10, 64 << 10]
        .iter()
        .any(|page| image.has(page - 10, b"SWAP-SPACE") || image.has(page - 10, b"SWAPSPACE2"))
        .then_some((Format::Swap, None))
}

/// The label lies in one of the first four sectors and tells where the volume's header is.
fn lvm(image: &Image<'_>) -> Found {
    (0..4)
        .map(|sector| sector * 512)
        .find(|label| image.has(*label, b"LABELONE") && image.has(label + 24, b"LVM2"))
        .map(|label| {
            let header = usize::try_from(image.le32(label + 20)).unwrap_or(usize::MAX);
            // Behind the header's identifier of 32 bytes.
            let size = label.checked_add(header).and_then(|at| at.checked_add(32));
            let bytes = size.map_or(0, |at| image.le64(at));
            (Format::Lvm, used(bytes, 1))
        })
}

/// An encrypted volume takes whatever its device has, and does not tell how much that is.
fn luks(image: &Image<'_>) -> Found {
    image
        .has(0, b"LUKS\xba\xbe")
        .then_some((Format::Luks, None))
}
