// SPDX-License-Identifier: GPL-2.0

//! Tests of splitting datagrams.

use super::*;

fn message(len: u32, bytes: usize) -> Vec<u8> {
    let mut out = len.to_ne_bytes().to_vec();
    out.resize(bytes, 0);
    out
}

#[test]
fn a_datagram_splits_at_padded_lengths() {
    let mut datagram = message(17, 20);
    datagram.extend(message(16, 16));
    let messages = split(&datagram).unwrap();
    let lengths: Vec<_> = messages.iter().map(Vec::len).collect();
    assert_eq!(lengths, [17, 16]);
}

#[test]
fn a_message_longer_than_its_datagram_is_malformed() {
    assert!(matches!(split(&message(21, 20)), Err(Error::Malformed(_))));
}

#[test]
fn a_message_shorter_than_its_header_is_malformed() {
    for len in 0..16 {
        assert!(matches!(split(&message(len, 20)), Err(Error::Malformed(_))));
    }
}
