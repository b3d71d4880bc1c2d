// SPDX-License-Identifier: GPL-2.0

//! The run-length code of bitmaps, both ways.
//!
//! Input: one byte about the code, a 16-bit size, then the code. The same bytes are taken as a
//! bitmap, too, which is coded and decoded again.

use tandem_engine::bitmap_code::{encode, Decoder, TransferCursor};

use crate::{input::Input, Target};

pub(crate) const TARGET: Target = Target {
    name: "bitmap_code",
    run,
    seeds,
};

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let (kind, bits) = (input.u8(), u64::from(input.u16()));
    decode(input.0, kind, bits);
    round_trip(input.0);
}

/// A code off the wire sets no bits past the end, and is over after as many runs as it has bits.
fn decode(code: &[u8], kind: u8, bits: u64) {
    let Ok(decoder) = Decoder::new(code, kind & 15, kind & 128 != 0) else {
        return;
    };
    assert!(decoder.clone().count() <= code.len() * 4 + 1);
    let is_whole = decoder.clone().all(|run| run.is_ok());
    if let Ok(mut shorter) = Decoder::new(code, (kind & 15) + 1, kind & 128 != 0) {
        assert!(!is_whole || shorter.any(|run| run.is_err()));
    }
    let mut cursor = TransferCursor::new(bits);
    let mut next = 0;
    let result = cursor.take_code(decoder, |first, count| {
        assert!(first >= next && count > 0);
        next = first + count;
        assert!(next <= bits);
    });
    assert!(cursor.bit() <= bits && (result.is_err() || cursor.bit() >= next));
}

/// A bitmap arrives as it was sent, in coded and in plain packets.
fn round_trip(bitmap: &[u8]) {
    // Longer ones show nothing new.
    let bitmap = bitmap.get(..512).unwrap_or(bitmap);
    let is_set = |bit: usize| {
        bitmap
            .get(bit / 8)
            .is_some_and(|byte| byte >> (bit % 8) & 1 != 0)
    };
    let bits = bitmap.len() * 8;
    let mut got = vec![false; bits];
    let mut cursor = TransferCursor::new(bits as u64);
    while !cursor.is_done() {
        let start = cursor.bit();
        let mut out = [0; 64];
        let run_end = |from: u64, set| {
            let end = (from as usize..bits).find(|&bit| is_set(bit) != set);
            end.unwrap_or(bits) as u64
        };
        match encode(&mut out, start, bits as u64, run_end) {
            Some(encoded) => {
                let code = &out[..encoded.code_len];
                let decoder = Decoder::new(code, encoded.pad_bits, encoded.first_set);
                let taken = cursor.take_code(decoder.expect("our own code"), |first, count| {
                    got[first as usize..(first + count) as usize].fill(true);
                });
                assert_eq!(taken, Ok(()));
                assert_eq!(cursor.bit(), start + encoded.covered);
            }
            None => {
                let words = cursor.plain_words(64);
                assert_eq!(words == 0, start == bits as u64);
                let first = cursor.word() as usize * 64;
                cursor.skip_words(words);
                let end = cursor.bit() as usize;
                (first..end).for_each(|bit| got[bit] = is_set(bit));
            }
        }
    }
    assert!((0..bits).all(|bit| got[bit] == is_set(bit)));
}

/// Codes of bitmaps with runs of all levels, and bitmaps.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![0, 0, 1, 0xaa, 0x55, 0xff, 0x00]];
    for step in [1_u64, 3, 17, 60, 400, 9000] {
        let mut out = [0; 40];
        let bits = 60_000;
        let run_end = |from: u64, _| (from / step + 1) * step;
        if let Some(encoded) = encode(&mut out, 0, bits, run_end) {
            let first = if encoded.first_set { 128 } else { 0 };
            let mut seed = vec![first | encoded.pad_bits];
            seed.extend((bits as u16).to_le_bytes());
            seed.extend(&out[..encoded.code_len]);
            seeds.push(seed);
        }
    }
    seeds.push([&[0, 0, 2], &[0; 60][..], &[0xff; 60], &[1; 10]].concat());
    seeds
}
