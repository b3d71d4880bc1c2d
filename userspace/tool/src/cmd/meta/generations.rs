// SPDX-License-Identifier: GPL-2.0

//! `set-gi`, `outdate`, `invalidate`: change generations and flags.

use super::{
    confirm,
    device::MetaDevice,
    Found, //
};
use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    render::generations::FLAGS, //
};
use tandem_engine::{
    meta::superblock::{
        Flags,
        Superblock, //
    },
    uuid::Uuids, //
};

fn write(device: &MetaDevice, found: &Found, changed: &Superblock) -> Outcome {
    device
        .write_superblock(found.geometry.superblock, changed)
        .map_err(|error| device.failed("write", &error))?;
    Ok(Exit::Success)
}

/// Marks the data as outdated, unless it is worse already.
pub(super) fn outdate(device: &MetaDevice, found: &Found) -> Outcome {
    let superblock = found.superblock;
    if !superblock.flags.has(Flags::CONSISTENT) {
        eprintln!(
            "tandem: the data on {} is inconsistent, which is worse than outdated",
            device.name()
        );
        return Ok(Exit::LowerThanOutdated);
    }
    let flags = superblock.flags.without(Flags::WAS_UP_TO_DATE);
    write(
        device,
        found,
        &Superblock {
            flags,
            ..superblock
        },
    )
}

/// Treats the data as bad.
pub(super) fn invalidate(device: &MetaDevice, found: &Found) -> Outcome {
    let superblock = found.superblock;
    let good = Flags::CONSISTENT.with(Flags::WAS_UP_TO_DATE);
    let flags = superblock.flags.without(good).with(Flags::FULL_SYNC);
    write(
        device,
        found,
        &Superblock {
            flags,
            ..superblock
        },
    )
}

/// Sets what the text names, after a question.
pub(super) fn set(device: &MetaDevice, found: &Found, text: &str, force: bool) -> Outcome {
    let before = found.superblock;
    let after = parse(text, before)?;
    println!("previously {}", super::generations(&before).line());
    println!("set GI to  {}", super::generations(&after).line());
    confirm(
        force,
        &format!(
            "This changes which data counts as newer on {}.",
            device.name()
        ),
    )?;
    write(device, found, &after)
}

/// What a text in the form of `get-gi` makes of a superblock. Parts that are empty or left away
/// stay as they are.
fn parse(text: &str, before: Superblock) -> Result<Superblock, Failure> {
    let wrong = |what: String| Failure::Unfit {
        what,
        hint: "give it in the form that get-gi prints; parts may be empty".into(),
    };
    let parts: Vec<_> = text.split(':').collect();
    let ends_with_colon = parts.last() == Some(&"");
    if parts.len() - usize::from(ends_with_colon) > 4 + FLAGS.len() {
        return Err(wrong(format!("'{text}' has too many parts")));
    }
    let [younger, older] = before.uuids.history;
    let mut uuids = [before.uuids.current, before.uuids.bitmap, younger, older];
    for (uuid, part) in uuids.iter_mut().zip(&parts) {
        if !part.is_empty() {
            let digits = part.strip_prefix("0x").unwrap_or(part);
            *uuid = u64::from_str_radix(digits, 16)
                .map_err(|_| wrong(format!("'{part}' is no number in hexadecimal")))?;
        }
    }
    let mut flags = before.flags;
    for ((bit, _), part) in FLAGS.iter().zip(parts.iter().skip(4)) {
        let on = match *part {
            "" => continue,
            "0" => false,
            "1" => true,
            other => return Err(wrong(format!("'{other}' is neither 0 nor 1"))),
        };
        flags.put(Flags(*bit), on);
    }
    let [current, bitmap, younger, older] = uuids;
    Ok(Superblock {
        uuids: Uuids {
            current,
            bitmap,
            history: [younger, older],
        },
        flags,
        ..before
    })
}
