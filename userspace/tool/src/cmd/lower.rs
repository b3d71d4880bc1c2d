// SPDX-License-Identifier: GPL-2.0

//! `check-resize` and `udev`: about the lower device of a minor.

use super::state::ask;
use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    last_size,
    model::{
        context,
        resource_name, //
    }, //
};
use rustix::fs::{
    open,
    seek,
    Mode,
    OFlags,
    SeekFrom, //
};
use std::path::{
    Path,
    PathBuf, //
};
use tandem_engine::{
    control::{
        AttrBlock,
        AttrIter,
        AttrValue,
        DiskConf, //
    },
    options::FixedStr, //
};
use tandem_netlink::Reply;

/// The lower device, and the place of its metadata; none without a disk.
fn lower_device(reply: &Reply) -> Option<(PathBuf, i32)> {
    let attrs = reply.attrs(DiskConf::NR)?;
    let find = |nr: u16| {
        let mut all = AttrIter::new(attrs).filter_map(Result::ok);
        all.find(|(candidate, _)| *candidate == nr)
    };
    let path: FixedStr<127> = find(1).and_then(|(_, payload)| AttrValue::decode(payload))?;
    let place = find(3).and_then(|(_, payload)| i32::decode(payload))?;
    let path = String::from_utf8_lossy(path.as_bytes()).into_owned();
    Some((path.into(), place))
}

/// Remembers how large the lower device is.
pub(super) fn check_resize(minor: u32) -> Outcome {
    let Some((path, place)) = lower_device(&ask(minor)?) else {
        return Err(Failure::Metadata {
            what: format!("minor {minor} has no disk attached"),
            hint: "attach one first, or use 'tandem meta ... check-resize' on the disk".into(),
        });
    };
    if matches!(place, -1 | -3) {
        let bytes = size_of(&path)?;
        last_size::remember(minor, bytes, &path);
    }
    Ok(Exit::Success)
}

fn size_of(path: &Path) -> Result<u64, Failure> {
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| seek(&file, SeekFrom::End(0)))
        .map_err(|error| {
            Failure::invalid(
                format!("cannot look at {}: {error}", path.display()),
                "check the path; lsblk lists block devices",
            )
        })
}

/// Prints variables for udev.
pub(super) fn udev(minor: u32) -> Outcome {
    let reply = ask(minor)?;
    let context = context(&reply)?;
    let (name, volume) = (resource_name(&context), context.ctx_volume.unwrap_or(0));
    println!("DEVICE=drbd{minor}\nSYMLINK_BY_RES=drbd/by-res/{name}/{volume}");
    if let Some((path, _)) = lower_device(&reply) {
        let path = path.strip_prefix("/dev").unwrap_or(&path);
        println!("SYMLINK_BY_DISK=drbd/by-disk/{}", path.display());
    }
    Ok(Exit::Success)
}
