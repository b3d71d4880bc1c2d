// SPDX-License-Identifier: GPL-2.0

//! Arguments survive as bytes; tapes never grow, and tell what they lost.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::engine::bytes::Reader;
use crate::engine::ids::Instant;
use crate::engine::options::{
    FixedStr,
    NetOptions, //
};
use crate::engine::resource::{
    Admin,
    Event,
    Token, //
};
use crate::engine::stream::Stream;
use crate::engine::volume::{
    Operation,
    Policy,
    WantedAck, //
};

fn put<T: Code>(value: &T) -> Vec<u8> {
    let mut bytes = [0; 8192];
    let mut w = Writer::new(&mut bytes);
    value.put(&mut w).unwrap();
    let len = w.len();
    bytes[..len].to_vec()
}

/// A value from exactly these bytes.
fn get<T: Code>(bytes: &[u8]) -> T {
    let mut r = Reader::new(bytes);
    let value = T::get(&mut r).unwrap();
    assert_eq!(r.remaining(), 0);
    value
}

/// Whatever value these bytes begin with, if any, is the same after it was written and read.
/// (Compared as bytes: secrets are not written.)
fn check_bytes<T: Code>(bytes: &[u8]) {
    if let Some(value) = T::get(&mut Reader::new(bytes)) {
        let written = put(&value);
        assert_eq!(written, put(&get::<T>(&written)));
    }
}

/// Bytes of which many are small, as numbers of variants are.
fn many_small() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![3 => 0_u8..2, 1 => any::<u8>()], 0..700)
}

proptest! {
    #[test]
    fn whatever_bytes_are_an_event_survive(
        nr in 0_u8..19,
        command in 0_u8..16,
        rest in many_small(),
    ) {
        check_bytes::<Event>(&[&[nr], &rest[..]].concat());
        // The administrator's commands: their number comes behind the token.
        check_bytes::<Event>(&[&[0, 0, 0, 0, 9, command], &rest[..]].concat());
    }

    #[test]
    fn whatever_bytes_are_arguments_survive(bytes in many_small()) {
        check_bytes::<Policy>(&bytes);
        check_bytes::<Operation>(&bytes);
        check_bytes::<WantedAck>(&bytes);
        check_bytes::<Option<Instant>>(&bytes);
        check_bytes::<[u16; 3]>(&bytes);
    }
}

#[test]
fn a_secret_is_not_written_down() {
    let options = NetOptions {
        shared_secret: FixedStr::new(b"sesame").unwrap(),
        cram_hmac_alg: FixedStr::new(b"sha1").unwrap(),
        ..NetOptions::default()
    };
    let event = Event::Admin(Token(1), Admin::Connect { options });
    let Event::Admin(_, Admin::Connect { options }) = get(&put(&event)) else {
        panic!("another event came back");
    };
    assert_eq!(options.shared_secret.as_bytes(), b"");
    assert_eq!(options.cram_hmac_alg.as_bytes(), b"sha1");
}

#[test]
fn a_full_tape_counts_what_it_loses_and_is_refused() {
    let mut tape = Tape::new(vec![0; 40]);
    assert!(tape.is_empty());
    for _ in 0..2 {
        tape.append(3, Part::Event, &|w| w.bytes(b"12345678"));
    }
    assert_eq!((tape.len(), tape.lost()), (33, 1));
    // A shorter one would fit, but there is a gap before it.
    tape.append(3, Part::Outcome, &|_| Ok(()));
    assert_eq!((tape.len(), tape.lost()), (33, 2));
    assert_eq!(
        Recording::parse(tape.recorded()).unwrap_err(),
        TapeError::Gap(2)
    );
}

#[test]
fn frames_come_back_in_order_and_a_torn_one_is_told() {
    let mut tape = Tape::new(vec![0; 100]);
    tape.append(1, Part::Event, &|w| w.bytes(b"one"));
    tape.append(2, Part::Outcome, &|w| w.bytes(b"two"));
    let bytes = tape.recorded();
    let bodies: Vec<_> = Recording::parse(bytes)
        .unwrap()
        .map(|frame| frame.unwrap().body)
        .collect();
    assert_eq!(bodies, [b"one", b"two"]);
    let torn: Vec<_> = Recording::parse(&bytes[..bytes.len() - 1])
        .unwrap()
        .collect();
    assert_eq!(torn.last(), Some(&Err(TapeError::Torn(28))));
    assert_eq!(
        Recording::parse(b"tandem 2........").unwrap_err(),
        TapeError::Foreign
    );
}

type Heard = Vec<(Part, Vec<u8>)>;

#[derive(Clone)]
struct Ear {
    on: bool,
    heard: Rc<RefCell<Heard>>,
}

impl Recorder for Ear {
    fn is_on(&self) -> bool {
        self.on
    }

    fn append(&self, _: u32, part: Part, fill: &dyn Fn(&mut Writer<'_>) -> Written) {
        let mut bytes = [0; 256];
        let mut w = Writer::new(&mut bytes);
        fill(&mut w).unwrap();
        let len = w.len();
        self.heard.borrow_mut().push((part, bytes[..len].to_vec()));
    }
}

#[test]
fn an_event_comes_before_what_came_of_it() {
    let ear = Ear {
        on: true,
        heard: Rc::default(),
    };
    let mut stream = Traced::<Stream, _>::stream(ear.clone(), 0, format_args!("r0"), 5);
    stream.close_epoch(0);
    assert_eq!(
        *ear.heard.borrow(),
        [
            (Part::Event, b"\x0anew stream\0\0\0\x05r0".to_vec()),
            (Part::Event, b"\x0bclose_epoch\0\0\0\0".to_vec()),
            (Part::Outcome, b"()".to_vec()),
        ]
    );
}

#[test]
fn nothing_is_written_down_when_nobody_listens() {
    let ear = Ear {
        on: false,
        heard: Rc::default(),
    };
    let mut stream = Traced::<Stream, _>::stream(ear.clone(), 0, format_args!("r0"), 5);
    stream.place_write();
    assert!(ear.heard.borrow().is_empty());
}
