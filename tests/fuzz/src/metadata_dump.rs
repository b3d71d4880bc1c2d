// SPDX-License-Identifier: GPL-2.0

//! The dump of metadata that `tandem meta restore-md` reads: a file that anybody may have changed.

use tandem_engine::meta::geometry::{Geometry, Layout};

use crate::Target;

#[path = "../../../userspace/tool/src/dump_text.rs"]
mod parser;

use parser::{Head, Unreadable, Words, UNCLEAN};

pub(crate) const TARGET: Target = Target {
    name: "metadata_dump",
    run,
    seeds,
};

/// Sectors of a disk that it is restored to.
const SECTORS: u64 = 1 << 21;

/// What stands in a dump: the head, and words of the bitmap with how often each comes.
type Dump = (Head, Vec<(u64, u64)>);

fn read(text: &[u8]) -> Result<Dump, Unreadable> {
    let mut words = Words::new(text);
    let head = words.head()?;
    let mut runs = Vec::new();
    words.bitmap(|word, times| {
        runs.push((word, times));
        Ok::<_, Unreadable>(())
    })?;
    Ok((head, runs))
}

/// In other words than `dump-md` has.
fn write((head, runs): &Dump) -> String {
    let [current, bitmap, younger, older] = head.uuids;
    let runs: String = runs
        .iter()
        .map(|(word, times)| format!("{times} times {word};"))
        .collect();
    format!(
        "version \"v08\";uuid{{{current:#x};{bitmap};{younger};{older:#x}; flags {};}}\
         la-size-sect {}; bm-byte-per-bit 4096; device-uuid {};\
         la-peer-max-bio-size {}; al-stripes {}; al-stripe-size-4k {};\n# comment\nbm {{{runs}}}",
        head.flags,
        head.last_size,
        head.device_uuid,
        head.peer_max_bio_size,
        head.ring.stripes,
        head.ring.stripe_blocks,
    )
}

/// What can be read is written and read back the same, and lies on its disk or is refused.
fn run(bytes: &[u8]) {
    let dump = match read(bytes) {
        Ok(dump) => dump,
        Err(error) => return assert!(error.to_string().starts_with("the dump")),
    };
    let text = write(&dump);
    assert_eq!(read(text.as_bytes()).as_ref(), Ok(&dump), "of {text}");
    let (head, _) = dump;
    if let Ok(geometry) = Geometry::new(Layout::Internal, SECTORS, head.ring) {
        let superblock = head.superblock(&geometry);
        let _ = superblock.geometry(Layout::Internal, SECTORS);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let head = |uuid: &str, more: &str| {
        format!(
            "# DRBD meta data dump\nversion \"v08\";\n\n{uuid}\n# al-extents 1237;\n\
             la-size-sect 65456;\nbm-byte-per-bit 4096;\ndevice-uuid 0x1234567890ABCDEF;\n{more}"
        )
    };
    let uuid = "uuid {\n    0x0000000000000004; 0x0000000000000000; 0x0000000000000000; \
                0x0000000000000000;\n    flags 0x00000002;\n}";
    let log = "la-peer-max-bio-size 1048576;\nal-stripes 1;\nal-stripe-size-4k 8;\n";
    let bitmap = "# bm-bytes 1024;\nbm {\n   # at 0kB\n    128 times 0xFFFFFFFFFFFFFFFF;\n}\n";
    let words = "bm { 0x1; 0x2;0x3; # odd\n 12 times 0x0; 7; }";
    [
        head(uuid, log) + bitmap,
        head(uuid, log) + words,
        head(uuid, "") + bitmap,
        head(
            uuid,
            "la-peer-max-bio-size 4096; al-stripes 4; al-stripe-size-4k 16384;",
        ) + words,
        head(&format!("{UNCLEAN}\n{uuid}"), log) + bitmap,
        head("uuid { 1; 2; 3; 4; flags 4294967296; }", log) + bitmap,
    ]
    .map(String::into_bytes)
    .into()
}
