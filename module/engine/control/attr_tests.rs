// SPDX-License-Identifier: GPL-2.0

//! Tests of taking attribute runs apart.

use super::*;

fn attr(nr: u16, payload: &[u8]) -> std::vec::Vec<u8> {
    let mut out = std::vec::Vec::new();
    let len = u16::try_from(payload.len() + NLA_HDRLEN).unwrap();
    out.extend(len.to_ne_bytes());
    out.extend(nr.to_ne_bytes());
    out.extend(payload);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

#[test]
fn flag_bits_are_left_out_of_the_number() {
    for flags in [0, 1 << 14, NLA_F_NESTED, 3 << 14] {
        let bytes = attr(5 | flags, &[1]);
        let mut attrs = AttrIter::new(&bytes);
        assert_eq!(attrs.next(), Some(Ok((5, &[1_u8][..]))));
        assert_eq!(attrs.next(), None);
    }
}

#[test]
fn padding_is_skipped_and_may_be_absent_at_the_end() {
    let mut bytes = attr(1, b"abc\0d");
    bytes.extend(&attr(2, &[9])[..5]);
    let attrs: std::vec::Vec<_> = AttrIter::new(&bytes).collect();
    assert_eq!(attrs, [Ok((1, &b"abc\0d"[..])), Ok((2, &[9_u8][..]))]);
}

#[test]
fn a_length_past_the_end_is_reported_once() {
    let mut bytes = attr(1, &[0; 4]);
    bytes[0] = 9;
    let attrs: std::vec::Vec<_> = AttrIter::new(&bytes).collect();
    assert_eq!(attrs, [Err(AttrError::Truncated)]);
}

#[test]
fn a_length_below_the_header_is_reported() {
    for len in 0..4 {
        let bytes = [len, 0, 1, 0];
        let attrs: std::vec::Vec<_> = AttrIter::new(&bytes).collect();
        assert_eq!(attrs, [Err(AttrError::Truncated)]);
    }
}

#[test]
fn fewer_bytes_than_a_header_are_reported() {
    let attrs: std::vec::Vec<_> = AttrIter::new(&[8, 0, 1]).collect();
    assert_eq!(attrs, [Err(AttrError::Truncated)]);
}

#[test]
fn text_ends_at_its_zero_or_at_the_end() {
    type Text = FixedStr<4>;
    assert_eq!(Text::decode(b"ab\0d").unwrap().as_bytes(), b"ab");
    assert_eq!(Text::decode(b"abcd").unwrap().as_bytes(), b"abcd");
    assert_eq!(Text::decode(b"abcde\0").unwrap().as_bytes(), b"abcd");
    assert_eq!(Text::decode(b"abcdef"), None);
    assert_eq!(Text::decode(b"").unwrap().as_bytes(), b"");
}
