// SPDX-License-Identifier: GPL-2.0

//! Tests of the bitmap code.

use super::*;
use proptest::prelude::*;
use std::vec::Vec;

/// Codes a bitmap that is given bit by bit.
fn encode_bits(out: &mut [u8], bits: &[bool], start: usize) -> Option<Encoded> {
    encode(out, start as u64, bits.len() as u64, |from, set| {
        let from = from as usize;
        bits[from..]
            .iter()
            .position(|&b| b != set)
            .map_or(u64::MAX, |n| (from + n) as u64)
    })
}

#[test]
fn level_borders_are_those_of_the_table() {
    let borders: [(u64, u32); 10] = [
        (0x2, 2),
        (0x4, 3),
        (0x8, 5),
        (0x10, 7),
        (0x30, 10),
        (0x130, 14),
        (0x2130, 21),
        (0x20_2130, 29),
        (0x4_0020_2130, 42),
        (MAX_RUN, 64),
    ];
    for (i, &(last, bits)) in borders.iter().enumerate() {
        assert_eq!(encode_run(last).map(|c| c.1), Some(bits));
        let next = borders.get(i + 1).map(|b| b.1);
        assert_eq!(encode_run(last + 1).map(|c| c.1), next);
    }
    assert_eq!(encode_run(0), None);
}

#[test]
fn known_codes_match_the_c_layout() {
    // 1 = prefix 0, data 0; 2 = prefix 0, data 1; 3 = prefix 01 (first bit left "10"), data 0.
    assert_eq!(encode_run(1), Some((0b00, 2)));
    assert_eq!(encode_run(2), Some((0b10, 2)));
    assert_eq!(encode_run(3), Some((0b001, 3)));
    assert_eq!(encode_run(4), Some((0b101, 3)));
    assert_eq!(encode_run(0x131), Some((0x3f, 21)));
}

#[test]
fn an_empty_bitmap_of_a_terabyte_takes_six_bytes() {
    let mut out = [0u8; 4079];
    let bits = 1u64 << 28;
    let encoded = encode(&mut out, 0, bits, |_, _| bits).unwrap();
    assert_eq!(
        encoded,
        Encoded {
            first_set: false,
            pad_bits: 6,
            code_len: 6,
            covered: bits
        }
    );
}

#[test]
fn noise_is_not_coded() {
    let bits: Vec<bool> = (0..1000).map(|i| i % 2 == 0).collect();
    assert_eq!(encode_bits(&mut [0; 4079], &bits, 0), None);
}

#[test]
fn a_full_buffer_ends_the_code_between_two_runs() {
    let bits: Vec<bool> = (0..4096).map(|i| i / 16 % 2 == 1).collect();
    let mut out = [0u8; 8];
    let encoded = encode_bits(&mut out, &bits, 0).unwrap();
    // Nine codes of seven bits.
    assert_eq!(
        encoded,
        Encoded {
            first_set: false,
            pad_bits: 1,
            code_len: 8,
            covered: 144
        }
    );
}

#[test]
fn codes_that_end_within_a_number_are_refused() {
    // 0xff starts a number of 64 bits.
    let runs: Vec<_> = Decoder::new(&[0xff, 0, 0], 0, false).unwrap().collect();
    assert_eq!(runs, [Err(BitmapCodeError::Truncated)]);
    assert!(Decoder::new(&[], 0, false).is_err());
    assert!(Decoder::new(&[0], 8, false).is_err());
}

#[test]
fn runs_past_the_end_are_refused() {
    for first_set in [false, true] {
        let mut cursor = TransferCursor::new(3);
        let decoder = Decoder::new(&[0b0000_0101], 5, first_set).unwrap();
        assert_eq!(
            cursor.take_code(decoder, |_, _| {}),
            Err(BitmapCodeError::Overflow)
        );
    }
}

#[test]
fn plain_packets_restart_at_a_word() {
    let mut cursor = TransferCursor::new(1000);
    cursor.skip_bits(130).unwrap();
    assert_eq!(cursor.word(), 2);
    assert_eq!(cursor.plain_words(4080), 14);
    assert_eq!(cursor.plain_words(40), 5);
    assert_eq!(cursor.check_plain(40, 40), Ok(5));
    assert_eq!(
        cursor.check_plain(48, 40),
        Err(BitmapCodeError::PlainLength)
    );
    cursor.skip_words(14);
    assert_eq!(cursor.bit(), 1000);
}

#[test]
fn a_plain_packet_without_words_ends_the_transfer() {
    let mut cursor = TransferCursor::new(100);
    cursor.skip_words(cursor.plain_words(4080));
    assert_eq!(cursor.bit(), 100);
    assert!(!cursor.is_done());
    assert_eq!(cursor.check_plain(0, 4080), Ok(0));
    cursor.skip_words(0);
    assert!(cursor.is_done());
}

#[test]
fn the_code_of_the_last_bits_ends_the_transfer() {
    let mut cursor = TransferCursor::new(100);
    cursor.skip_words(1);
    cursor.skip_bits(36).unwrap();
    assert!(cursor.is_done());
}

proptest! {
    #[test]
    fn run_lengths_round_trip(run in 1..=MAX_RUN, noise: u64) {
        let (code, bits) = encode_run(run).unwrap();
        let word = code | (noise & !low_bits(bits));
        prop_assert_eq!(decode_run(word), Some((run, bits)));
    }

    #[test]
    fn bitmaps_round_trip(
        runs in proptest::collection::vec(1..2000usize, 1..60),
        first: bool,
        room in 9..200usize,
    ) {
        let mut bits = Vec::new();
        let mut set = first;
        for run in runs {
            bits.extend(core::iter::repeat_n(set, run));
            set = !set;
        }
        let mut cursor = TransferCursor::new(bits.len() as u64);
        let mut got = vec![false; bits.len()];
        while !cursor.is_done() {
            let mut out = vec![0xaa; room];
            let start = cursor.bit();
            match encode_bits(&mut out, &bits, start as usize) {
                Some(e) => {
                    let decoder = Decoder::new(&out[..e.code_len], e.pad_bits, e.first_set);
                    let decoder = decoder.unwrap();
                    cursor.take_code(decoder, |at, n| {
                        got[at as usize..][..n as usize].fill(true);
                    }).unwrap();
                    prop_assert_eq!(cursor.bit(), start + e.covered);
                }
                None => {
                    let words = cursor.plain_words(room);
                    let at = cursor.word() as usize * 64;
                    cursor.skip_words(words);
                    let to = cursor.bit() as usize;
                    got[at..to].copy_from_slice(&bits[at..to]);
                }
            }
        }
        prop_assert_eq!(got, bits);
    }

    #[test]
    fn garbage_never_panics_nor_loops(
        code in proptest::collection::vec(any::<u8>(), 0..64),
        pad: u8,
        first: bool,
        bits: u64,
    ) {
        if let Ok(decoder) = Decoder::new(&code, pad, first) {
            prop_assert!(decoder.clone().count() <= code.len() * 4 + 1);
            let mut cursor = TransferCursor::new(bits);
            let mut covered = 0u64;
            let _ = cursor.take_code(decoder, |at, n| {
                assert!(at + n <= bits);
                covered += n;
            });
            prop_assert!(cursor.bit() <= bits && covered <= bits);
        }
    }
}
