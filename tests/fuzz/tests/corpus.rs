// SPDX-License-Identifier: GPL-2.0

//! All targets over their kept inputs, and over inputs like them, without libFuzzer.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use fuzz::{Target, TARGETS};
use proptest::{
    prelude::*,
    sample::{select, Index},
    test_runner::TestRunner,
};

/// Changed inputs for each target.
const CHANGED: u32 = 2000;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// What a target starts from, and what fuzzing found.
fn inputs(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let mut inputs = (target.seeds)();
    for entry in fs::read_dir(corpus().join(target.name))? {
        inputs.push(fs::read(entry?.path())?);
    }
    Ok(inputs)
}

/// One change of an input.
#[derive(Clone, Debug)]
enum Change {
    /// Another byte in place of one.
    Put(Index, u8),
    /// A bit is flipped.
    Flip(Index, u8),
    /// The rest is cut off.
    Cut(Index),
    /// A byte more.
    Insert(Index, u8),
    /// A part of another input comes behind.
    Join(Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<Index>(), prop_oneof![any::<u8>(), Just(0), Just(255)])
            .prop_map(|(at, byte)| Change::Put(at, byte)),
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        1 => any::<Index>().prop_map(Change::Join),
    ]
}

fn changed(mut input: Vec<u8>, changes: &[Change], others: &[Vec<u8>]) -> Vec<u8> {
    for change in changes {
        let len = input.len();
        match change {
            Change::Put(at, byte) if len > 0 => input[at.index(len)] = *byte,
            Change::Flip(at, bit) if len > 0 => input[at.index(len)] ^= 1 << bit,
            Change::Put(..) | Change::Flip(..) => {}
            Change::Cut(at) => input.truncate(at.index(len + 1)),
            Change::Insert(at, byte) => input.insert(at.index(len + 1), *byte),
            Change::Join(at) => {
                let other = &others[at.index(others.len())];
                input.extend(&other[at.index(other.len() + 1)..]);
            }
        }
    }
    input
}

#[test]
fn every_target_has_kept_inputs_and_every_folder_a_target() {
    for target in TARGETS {
        assert!(!inputs(target).unwrap().is_empty(), "{}", target.name);
        let kept = fs::read_dir(corpus().join(target.name)).unwrap();
        assert!(kept.count() > 0, "{}", target.name);
    }
    for entry in fs::read_dir(corpus()).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(fuzz::target(name.to_str().unwrap()).is_some(), "{name:?}");
    }
}

#[test]
fn kept_inputs_are_taken() {
    for target in TARGETS {
        for input in inputs(target).unwrap() {
            (target.run)(&input);
        }
    }
}

/// Changes kept inputs of one target; a failure is shrunk and printed.
fn takes_changed_inputs(name: &str) {
    let target = fuzz::target(name).unwrap();
    let kept = inputs(&target).unwrap();
    let some = (
        select(kept.clone()),
        proptest::collection::vec(change(), 1..12),
    );
    let mut runner = TestRunner::new(ProptestConfig::with_cases(CHANGED));
    let result = runner.run(&some, |(input, changes)| {
        (target.run)(&changed(input, &changes, &kept));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{name}: {error}");
    }
}

#[test]
fn changed_activity_logs_are_taken() {
    takes_changed_inputs("activity_log");
}

#[test]
fn changed_bitmap_codes_are_taken() {
    takes_changed_inputs("bitmap_code");
}

#[test]
fn changed_netlink_messages_are_taken() {
    takes_changed_inputs("netlink");
}

#[test]
fn changed_options_are_taken() {
    takes_changed_inputs("options");
}

#[test]
fn changed_packets_are_taken() {
    takes_changed_inputs("packets");
}

#[test]
fn changed_superblocks_are_taken() {
    takes_changed_inputs("superblock");
}
