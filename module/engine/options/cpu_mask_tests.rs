// SPDX-License-Identifier: GPL-2.0

//! Tests of `cpu-mask`.

use super::CpuMask;

#[test]
fn a_mask_names_processors_in_groups_of_32() {
    for (text, mask) in [
        ("", 0),
        ("0", 0),
        ("3", 3),
        ("aF", 0xaf),
        ("1,00000000", 1 << 32),
        ("1,0", 1 << 32),
        ("ffffffff,ffffffff", u128::from(u64::MAX)),
        ("8,,,0", 8 << 96),
    ] {
        assert_eq!(CpuMask::parse(text), Some(CpuMask(mask)), "{text}");
    }
}

#[test]
fn what_is_too_much_is_cut_off() {
    assert_eq!(CpuMask::parse("ffffffff1"), Some(CpuMask(0xffff_fff1)));
    assert_eq!(CpuMask::parse("7,0,0,0,1"), Some(CpuMask(1)));
}

#[test]
fn what_is_no_mask_is_refused() {
    for text in ["zz", "0x3", "1 2", "-1"] {
        assert_eq!(CpuMask::parse(text), None, "{text}");
    }
}

#[test]
fn both_words_hold_their_processors() {
    assert_eq!(CpuMask((5 << 64) | 9).words(), [9, 5]);
}
