// SPDX-License-Identifier: GPL-2.0

//! Tests of the byte cursors.

use super::*;

#[test]
fn values_are_big_endian() {
    let mut buf = [0u8; 15];
    let mut w = Writer::new(&mut buf);
    w.u8(1).unwrap();
    w.u16(0x0203).unwrap();
    w.u32(0x0405_0607).unwrap();
    w.u64(0x0809_0a0b_0c0d_0e0f).unwrap();
    assert_eq!(w.len(), 15);
    assert_eq!(buf, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

    let mut r = Reader::new(&buf);
    assert_eq!(r.u8(), Ok(1));
    assert_eq!(r.u16(), Ok(0x0203));
    assert_eq!(r.u32(), Ok(0x0405_0607));
    assert_eq!(r.u64(), Ok(0x0809_0a0b_0c0d_0e0f));
    assert_eq!(r.remaining(), 0);
}

#[test]
fn reading_past_the_end_is_truncated_and_takes_nothing() {
    let mut r = Reader::new(&[1, 2, 3]);
    assert_eq!(r.u32(), Err(BytesError::Truncated));
    assert_eq!(r.rest(), &[1, 2, 3]);
    assert_eq!(r.take(usize::MAX), Err(BytesError::Truncated));
    assert_eq!(r.skip(2), Ok(()));
    assert_eq!(r.u8(), Ok(3));
}

#[test]
fn writing_past_the_end_is_no_room_and_writes_nothing() {
    let mut buf = [0xffu8; 3];
    let mut w = Writer::new(&mut buf);
    assert_eq!(w.u32(0), Err(BytesError::NoRoom));
    assert_eq!(w.zeros(usize::MAX), Err(BytesError::NoRoom));
    assert_eq!(w.zeros(2), Ok(()));
    assert_eq!(w.bytes(&[1, 2]), Err(BytesError::NoRoom));
    assert_eq!(w.len(), 2);
    assert_eq!(buf, [0, 0, 0xff]);
}
