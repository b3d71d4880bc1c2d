// SPDX-License-Identifier: GPL-2.0

//! What holds for every attribute block, whatever is in it.

use super::{
    tests::{
        emitted,
        Run, //
    },
    *, //
};
use proptest::{
    collection::vec,
    prelude::*, //
};
use std::vec::Vec;

/// A block with whatever of some attributes it takes, if it takes any.
fn filled<B: AttrBlock>(attributes: &[(u16, Vec<u8>)]) -> B {
    let mut block = B::default();
    for (nr, payload) in attributes {
        // What is refused leaves the block as it was.
        let _ = block.apply(*nr, payload);
    }
    block
}

/// Attributes of all numbers with payloads of likely lengths.
fn attributes() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let payload = prop_oneof![
        vec(any::<u8>(), 1),
        vec(any::<u8>(), 4),
        vec(any::<u8>(), 8),
        vec(any::<u8>(), 0..130),
        // Small numbers, which are in range more often.
        (0..200_u32).prop_map(|n| n.to_ne_bytes().to_vec()),
        (0..2_u8).prop_map(|n| std::vec![n]),
    ];
    vec((0..40_u16, payload), 0..60)
}

fn survives<B>(attributes: &[(u16, Vec<u8>)]) -> Result<(), TestCaseError>
where
    B: AttrBlock + Clone + PartialEq + core::fmt::Debug,
{
    let block: B = filled(attributes);
    let bytes = emitted(&block);
    prop_assert_eq!(B::parse(&bytes), Ok(block.clone()));
    let mut updated = B::default();
    prop_assert_eq!(updated.update(&bytes), Ok(()));
    prop_assert_eq!(&updated, &block);
    if let Ok(parsed) = B::parse_request(&bytes) {
        prop_assert_eq!(&parsed, &block);
    }
    for end in 0..bytes.len() {
        let cut = &bytes[..end];
        match B::parse(cut) {
            // Only between two attributes.
            Ok(_) => prop_assert!(AttrIter::new(cut).all(|attr| attr.is_ok())),
            Err(error) => prop_assert_eq!(error, AttrError::Truncated),
        }
    }
    Ok(())
}

fn takes_garbage<B: AttrBlock>(bytes: &[u8]) {
    let _ = B::parse(bytes);
    let _ = B::parse_request(bytes);
}

proptest! {
    // Each case looks at all blocks, cut at every byte.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blocks_survive_and_notice_where_they_are_cut(attributes in attributes()) {
        macro_rules! check {
            ($($block:ident),*) => { $(survives::<$block>(&attributes)?;)* };
        }
        crate::for_blocks!(check);
    }

    #[test]
    fn garbage_never_panics(bytes in vec(any::<u8>(), 0..300)) {
        macro_rules! check {
            ($($block:ident),*) => { $(takes_garbage::<$block>(&bytes);)* };
        }
        crate::for_blocks!(check);
        let attributes = AttrIter::new(&bytes).count();
        prop_assert!(attributes <= bytes.len() / NLA_HDRLEN + 1);
        let _ = GenlHeader::split(&bytes);
        let _ = NetAddress::from_sockaddr(&bytes);
    }

    #[test]
    fn requests_never_lose_an_attribute(attributes in attributes()) {
        let mut run = Run::default();
        for (nr, payload) in &attributes {
            run.put(*nr, payload).unwrap();
        }
        let got: Vec<_> = AttrIter::new(&run.0).map(Result::unwrap).collect();
        let expected: Vec<_> = attributes.iter().map(|(nr, p)| (*nr, p.as_slice())).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn headers_survive(bytes: [u8; GENL_HEADER_LEN], cut in 0..GENL_HEADER_LEN) {
        let (header, rest) = GenlHeader::split(&bytes).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(header.to_bytes(), bytes);
        prop_assert_eq!(GenlHeader::split(&bytes[..cut]), None);
    }

    #[test]
    fn addresses_survive(addr: [u8; 16], port: u16, flowinfo: u32, scope_id: u32) {
        let [a, b, c, d, ..] = addr;
        let four = NetAddress::V4 { addr: [a, b, c, d], port };
        for address in [four, NetAddress::V6 { addr, port, flowinfo, scope_id }] {
            let (bytes, len) = address.to_sockaddr();
            prop_assert_eq!(NetAddress::from_sockaddr(&bytes[..len]), Some(address));
            let needed = if address == four { 8 } else { len };
            for cut in 0..needed {
                prop_assert_eq!(NetAddress::from_sockaddr(&bytes[..cut]), None);
            }
        }
    }

    #[test]
    fn notifications_survive(number: u32) {
        if let Some(note) = Notification::from_number(number) {
            prop_assert_eq!(note.number(), number);
        }
    }
}

#[test]
fn every_block_of_the_family_is_checked_here() {
    let mut numbers = Vec::new();
    macro_rules! check {
        ($($block:ident),*) => { $(numbers.push($block::NR);)* };
    }
    crate::for_blocks!(check);
    for command in Command::ALL {
        for number in command.blocks() {
            assert!(numbers.contains(number), "{command:?}: {number}");
        }
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 23);
}
