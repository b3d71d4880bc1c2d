// SPDX-License-Identifier: GPL-2.0

//! Values of options: as text that a user typed, and as attributes.
//!
//! Input: one byte table, one byte option, then the text or the payload.

use std::fmt::Debug;

use tandem_engine::{
    control::AttrSink,
    options::{
        parse_number, DiskOptions, NetOptions, OptionKind, OptionSpec, OptionTable, OptionValue,
        ResourceOptions,
    },
};

use crate::{input::Input, Target};

pub(crate) const TARGET: Target = Target {
    name: "options",
    run,
    seeds,
};

const TABLES: [&[OptionSpec]; 3] = [
    DiskOptions::TABLE,
    NetOptions::TABLE,
    ResourceOptions::TABLE,
];

/// Keeps the attributes it is given.
#[derive(Default)]
struct Attributes(Vec<(u16, Vec<u8>)>);

impl AttrSink for Attributes {
    type Error = ();

    fn put(&mut self, nr: u16, bytes: &[u8]) -> Result<(), ()> {
        self.0.push((nr, bytes.to_vec()));
        Ok(())
    }
}

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let table = usize::from(input.u8()) % TABLES.len();
    let specs = TABLES[table];
    let spec = specs[usize::from(input.u8()) % specs.len()];
    match table {
        0 => attribute::<DiskOptions>(spec.nr, input.0),
        1 => attribute::<NetOptions>(spec.nr, input.0),
        _ => attribute::<ResourceOptions>(spec.nr, input.0),
    }
    if let Ok(text) = std::str::from_utf8(input.0) {
        // No program can be given a zero.
        if !text.contains('\0') {
            typed(&spec, text);
        }
    }
}

/// What is taken is in range, and comes out as it went in.
fn attribute<T: OptionTable + Clone + Debug + PartialEq>(nr: u16, payload: &[u8]) {
    let mut table = T::default();
    if table.apply(nr, payload).is_err() {
        assert_eq!(table, T::default());
    }
    assert_eq!(table.check(), Ok(()));
    let mut attributes = Attributes::default();
    table.emit(&mut attributes, true).expect("it takes all");
    let mut copy = T::default();
    for (nr, payload) in &attributes.0 {
        assert_eq!(copy.apply(*nr, payload), Ok(true));
    }
    assert_eq!(copy, table);
}

/// A text is refused, or is a value that goes over netlink and back.
fn typed(spec: &OptionSpec, text: &str) {
    if let OptionKind::Number { unit, min, max, .. } = spec.kind {
        let number = parse_number(spec.name, text, unit);
        let in_range = number.is_ok_and(|number| (min..=max).contains(&number));
        assert_eq!(spec.parse(text).is_ok(), in_range);
    }
    match spec.parse(text) {
        Ok(value) => {
            let mut attributes = Attributes::default();
            spec.put(&value, &mut attributes).expect("it takes all");
            let [(nr, payload)] = attributes.0.as_slice() else {
                panic!("not one attribute: {:?}", attributes.0);
            };
            assert_eq!((*nr, spec.decode(payload)), (spec.nr, Ok(value)));
            if let OptionValue::Choice(number) = value {
                assert_eq!(spec.word(number), Some(text));
            }
        }
        Err(error) => assert_eq!(error.option(), spec.name),
    }
}

/// The default of every option as text, and numbers with suffixes.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (table, specs) in TABLES.iter().enumerate() {
        for (at, spec) in specs.iter().enumerate() {
            let text = match spec.default_value() {
                OptionValue::Number(number) => format!("{number}"),
                OptionValue::Boolean(on) => (if on { "yes" } else { "no" }).to_owned(),
                OptionValue::Choice(number) => spec.word(number).unwrap_or("").to_owned(),
                OptionValue::Text(_) => "crc32c".to_owned(),
            };
            seeds.push([&[table as u8, at as u8], text.as_bytes()].concat());
        }
    }
    for text in ["-1", "10M", "3s", "1G", "4k"] {
        seeds.push([&[0, 0], text.as_bytes()].concat());
    }
    seeds
}
