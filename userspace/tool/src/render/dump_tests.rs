// SPDX-License-Identifier: GPL-2.0

//! Tests of the text of a dump, against what drbdmeta 9.22 prints.

use super::*;

fn bitmap(words: &[(u64, usize)]) -> String {
    let mut image = Vec::new();
    for (word, count) in words {
        for _ in 0..*count {
            image.extend(word.to_le_bytes());
        }
    }
    image.resize(image.len().next_multiple_of(4096), 0);
    let pages = u64::try_from(image.len() / 4096).unwrap();
    let mut out = Vec::new();
    let mut bitmap = Bitmap::new(&mut out, pages).unwrap();
    for page in image.chunks_exact(4096) {
        bitmap.page(page.try_into().unwrap()).unwrap();
    }
    bitmap.end().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn runs_and_comments_are_where_drbdmeta_has_them() {
    let text = bitmap(&[
        (1, 1),
        (0xff, 1),
        (0, 20),
        (u64::MAX, 5),
        (0x8000_0000_0000_0001, 1),
        (0x8000_0000_0000_0002, 1),
        (0x8000_0000_0000_0003, 1),
        (0x8000_0000_0000_0004, 2),
        (0, 3),
        (0xaaaa_aaaa_aaaa_aaaa, 2),
        (1, 1),
    ]);
    assert_eq!(
        text,
        "# bm-bytes 4096;
bm {
   # at 0kB
    0x0000000000000001; 0x00000000000000FF; 0x0000000000000000; 0x0000000000000000;
    16 times 0x0000000000000000;
    0x0000000000000000; 0x0000000000000000; 0xFFFFFFFFFFFFFFFF; 0xFFFFFFFFFFFFFFFF;
    0xFFFFFFFFFFFFFFFF; 0xFFFFFFFFFFFFFFFF; 0xFFFFFFFFFFFFFFFF; 0x8000000000000001;
    0x8000000000000002; 0x8000000000000003; 0x8000000000000004; 0x8000000000000004;
   # at 8192kB
    0x0000000000000000; 0x0000000000000000; 0x0000000000000000; 0xAAAAAAAAAAAAAAAA;
    0xAAAAAAAAAAAAAAAA; 0x0000000000000001; 0x0000000000000000; 0x0000000000000000;
    472 times 0x0000000000000000;
}
# bits-set 405;
"
    );
}

#[test]
fn short_runs_are_written_out() {
    let text = bitmap(&[(5, 8), (0, 504)]);
    assert!(text.contains(
        "   # at 0kB\n    0x0000000000000005; 0x0000000000000005; 0x0000000000000005; \
         0x0000000000000005;\n    0x0000000000000005;"
    ));
    assert!(text.contains("    504 times 0x0000000000000000;\n}\n# bits-set 16;\n"));
}

#[test]
fn a_run_goes_on_over_blocks() {
    let text = bitmap(&[(1, 1), (0, 4095)]);
    assert!(
        text.contains("    4092 times 0x0000000000000000;\n}\n"),
        "{text}"
    );
}

#[test]
fn an_empty_bitmap_is_an_empty_block() {
    assert_eq!(bitmap(&[]), "# bm-bytes 0;\nbm {\n}\n# bits-set 0;\n");
}

#[test]
fn the_header_names_time_and_call() {
    let mut out = Vec::new();
    header(
        &mut out,
        1_795_425_333,
        "vm",
        "0 v08 /dev/x internal dump-md",
    )
    .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "# DRBD meta data dump\n# 2026-11-23 09:15:33 +0000 [1795425333]\n\
         # vm> drbdmeta 0 v08 /dev/x internal dump-md\n#\n\n"
    );
}
