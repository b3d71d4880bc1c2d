// SPDX-License-Identifier: GPL-2.0

//! Tests of the option tables.

use super::*;
use crate::engine::control::{
    AttrError,
    AttrSink, //
};
use proptest::prelude::*;

/// Keeps the attributes it is given.
#[derive(Default)]
struct Attrs(std::vec::Vec<(u16, std::vec::Vec<u8>)>);

impl AttrSink for Attrs {
    type Error = ();

    fn put(&mut self, nr: u16, bytes: &[u8]) -> Result<(), ()> {
        self.0.push((nr, bytes.to_vec()));
        Ok(())
    }
}

fn tables() -> [(&'static str, &'static [OptionSpec]); 3] {
    [
        ("disk", DiskOptions::TABLE),
        ("net", NetOptions::TABLE),
        ("resource", ResourceOptions::TABLE),
    ]
}

#[test]
fn names_and_numbers_are_unique_in_each_table() {
    for (table, specs) in tables() {
        for (at, spec) in specs.iter().enumerate() {
            for other in &specs[at + 1..] {
                assert_ne!(spec.name, other.name, "{table}");
                assert_ne!(spec.nr, other.nr, "{table}: {} {}", spec.name, other.name);
            }
        }
    }
}

#[test]
fn tables_have_every_option_of_the_kernel() {
    assert_eq!(DiskOptions::TABLE.len(), 22);
    assert_eq!(NetOptions::TABLE.len(), 31);
    assert_eq!(ResourceOptions::TABLE.len(), 2);
}

#[test]
fn defaults_are_in_range_and_parse_as_text() {
    for (_, specs) in tables() {
        for spec in specs {
            let text = match spec.default_value() {
                OptionValue::Number(number) => std::format!("{number}"),
                OptionValue::Boolean(true) => "yes".into(),
                OptionValue::Boolean(false) => "no".into(),
                OptionValue::Choice(number) => spec.word(number).unwrap().into(),
                OptionValue::Text(_) => std::string::String::new(),
            };
            assert_eq!(spec.parse(&text), Ok(spec.default_value()), "{}", spec.name);
        }
    }
}

#[test]
fn struct_defaults_are_those_of_the_kernel() {
    let disk = DiskOptions::default();
    assert_eq!(disk.on_io_error, OnIoError::Detach);
    assert_eq!((disk.al_extents, disk.resync_after), (1237, -1));
    assert_eq!((disk.c_max_rate, disk.c_fill_target), (102400, 100));
    assert!(disk.disk_flushes && disk.md_flushes && !disk.disk_barrier);
    let net = NetOptions::default();
    assert_eq!(net.protocol, WireProtocol::C);
    assert_eq!((net.timeout, net.ping_timeout, net.ko_count), (60, 5, 7));
    assert!(net.use_rle && net.tcp_cork && !net.allow_two_primaries);
}

#[test]
fn emitted_attributes_apply_to_the_same_options() {
    let disk = DiskOptions {
        size: 1 << 40,
        resync_after: 7,
        read_balancing: ReadBalancing::Striping1M,
        al_updates: false,
        ..DiskOptions::default()
    };
    let mut attrs = Attrs::default();
    disk.emit(&mut attrs, true).unwrap();
    let mut copy = DiskOptions::default();
    for (nr, bytes) in &attrs.0 {
        assert_eq!(copy.apply(*nr, bytes), Ok(true));
    }
    assert_eq!(copy, disk);
}

#[test]
fn the_secret_is_emitted_empty_for_ordinary_users() {
    let net = NetOptions {
        shared_secret: FixedStr::new(b"hush").unwrap(),
        ..NetOptions::default()
    };
    let mut attrs = Attrs::default();
    net.emit(&mut attrs, false).unwrap();
    let secret = attrs.0.iter().find(|(nr, _)| *nr == 1).unwrap();
    assert_eq!(secret.1, [0]);
}

#[test]
fn a_number_out_of_range_is_refused_and_changes_nothing() {
    let mut disk = DiskOptions::default();
    assert_eq!(
        disk.apply(10, &66_u32.to_ne_bytes()),
        Err(AttrError::BadValue("al-extents"))
    );
    assert_eq!(disk, DiskOptions::default());
}

#[test]
fn what_an_option_takes_is_said_in_words() {
    let takes = |name| OptionSpec::named(name).unwrap().kind.to_string();
    assert_eq!(takes("al-extents"), "67 to 65534");
    assert_eq!(takes("timeout"), "1 to 600 1/10 seconds");
    assert_eq!(takes("protocol"), "A, B, C");
    assert_eq!(takes("disk-flushes"), "yes or no");
    assert_eq!(takes("verify-alg"), "text of at most 63 bytes");
    assert!(OptionSpec::named("no-such-option").is_none());
}

#[test]
fn a_number_without_a_word_is_refused() {
    let mut net = NetOptions::default();
    assert_eq!(
        net.apply(18, &1_u32.to_ne_bytes()),
        Err(AttrError::BadValue("after-sb-1pri"))
    );
}

#[test]
fn a_payload_of_wrong_length_is_refused() {
    let mut disk = DiskOptions::default();
    assert_eq!(disk.apply(4, &[0; 4]), Err(AttrError::BadLength("size")));
    assert_eq!(
        disk.apply(16, &[0; 4]),
        Err(AttrError::BadLength("disk-barrier"))
    );
}

#[test]
fn an_unknown_number_is_reported_as_unknown() {
    assert_eq!(DiskOptions::default().apply(22, &[0; 4]), Ok(false));
}

#[test]
fn a_secret_of_64_bytes_is_cut_to_63_as_the_kernel_does() {
    let mut net = NetOptions::default();
    assert_eq!(net.apply(1, &[b'x'; 64]), Ok(true));
    assert_eq!(net.shared_secret.len(), 63);
    assert_eq!(
        net.apply(1, &[b'x'; 65]),
        Err(AttrError::BadLength("shared-secret"))
    );
}

#[test]
fn set_defaults_keeps_what_cannot_change() {
    let mut disk = DiskOptions {
        size: 2048,
        al_extents: 67,
        ..DiskOptions::default()
    };
    disk.set_defaults();
    assert_eq!((disk.size, disk.al_extents), (2048, 1237));
}

#[test]
fn check_names_the_option_out_of_range() {
    let net = NetOptions {
        max_buffers: 1,
        ..NetOptions::default()
    };
    assert_eq!(net.check(), Err(OptionError::OutOfRange("max-buffers")));
    assert_eq!(NetOptions::default().check(), Ok(()));
}

#[test]
fn suffixes_convert_to_the_unit_of_the_option() {
    let size = |text| parse_number("size", text, Unit::Sectors);
    assert_eq!(size("2048"), Ok(2048));
    assert_eq!(size("2048s"), Ok(2048));
    assert_eq!(size("1M"), Ok(2048));
    assert_eq!(size("3g"), Ok(3 << 21));
    assert_eq!(parse_number("rate", "10M", Unit::KibPerSecond), Ok(10240));
    assert_eq!(parse_number("rate", "3s", Unit::KibPerSecond), Ok(2));
    assert_eq!(parse_number("buf", "1K", Unit::Bytes), Ok(1024));
    assert_eq!(parse_number("after", "-1", Unit::Count), Ok(-1));
}

#[test]
fn bad_numbers_say_what_is_wrong() {
    let size = |text| parse_number("size", text, Unit::Sectors);
    assert_eq!(size(""), Err(OptionError::NotANumber("size")));
    assert_eq!(size("x"), Err(OptionError::NotANumber("size")));
    assert_eq!(size("-"), Err(OptionError::NotANumber("size")));
    assert_eq!(size("1T"), Err(OptionError::BadSuffix("size")));
    assert_eq!(size("1Kb"), Err(OptionError::BadSuffix("size")));
    assert_eq!(
        size("9223372036854775807G"),
        Err(OptionError::OutOfRange("size"))
    );
    assert_eq!(
        size("92233720368547758070"),
        Err(OptionError::NotANumber("size"))
    );
}

#[test]
fn words_are_taken_exactly() {
    let fencing = DiskOptions::find("fencing").unwrap();
    assert_eq!(fencing.parse("resource-only"), Ok(OptionValue::Choice(1)));
    assert_eq!(
        fencing.parse("Resource-Only"),
        Err(OptionError::UnknownWord("fencing"))
    );
    let flushes = DiskOptions::find("disk-flushes").unwrap();
    assert_eq!(flushes.parse("no"), Ok(OptionValue::Boolean(false)));
    assert_eq!(
        flushes.parse("false"),
        Err(OptionError::NotABoolean("disk-flushes"))
    );
}

/// An option of one of the tables.
fn option() -> impl Strategy<Value = &'static OptionSpec> {
    let all: std::vec::Vec<_> = tables().iter().flat_map(|(_, specs)| *specs).collect();
    proptest::sample::select(all)
}

/// Texts as people write them, right and wrong.
fn text() -> impl Strategy<Value = std::string::String> {
    prop_oneof![
        "-?[0-9]{0,20}[skmgtSKMGT]{0,2}",
        "[a-z0-9-]{0,70}",
        "[^\\x00]{0,70}"
    ]
}

/// What an option's attribute takes is in range, comes out as it went in, and can be shown.
fn survives<T>(nr: u16, payload: &[u8]) -> Result<(), TestCaseError>
where
    T: OptionTable + PartialEq + core::fmt::Debug,
{
    let mut table = T::default();
    match table.apply(nr, payload) {
        Ok(true) => {}
        Ok(false) => prop_assert!(T::find_nr(nr).is_none()),
        Err(error) => {
            prop_assert_eq!(error.attribute(), T::find_nr(nr).map(|spec| spec.name));
            prop_assert_eq!(&table, &T::default());
        }
    }
    prop_assert_eq!(table.check(), Ok(()));
    let mut attrs = Attrs::default();
    table.emit(&mut attrs, true).unwrap();
    prop_assert_eq!(attrs.0.len(), T::TABLE.len());
    let mut copy = T::default();
    for (nr, bytes) in &attrs.0 {
        prop_assert_eq!(copy.apply(*nr, bytes), Ok(true));
    }
    prop_assert_eq!(copy, table);
    Ok(())
}

proptest! {
    #[test]
    fn any_attribute_is_taken_whole_or_refused_whole(
        nr in 0..40_u16,
        payload in proptest::collection::vec(any::<u8>(), 0..80),
        small in 0..300_u32,
    ) {
        let (byte, long) = ([small as u8], (1_u64 << (small % 64)).to_ne_bytes());
        for payload in [&payload[..], &byte, &small.to_ne_bytes(), &long] {
            survives::<DiskOptions>(nr, payload)?;
            survives::<NetOptions>(nr, payload)?;
            survives::<ResourceOptions>(nr, payload)?;
        }
    }

    #[test]
    fn any_text_is_an_error_or_a_value_that_netlink_takes(spec in option(), text in text()) {
        match spec.parse(&text) {
            Ok(value) => {
                let mut attrs = Attrs::default();
                spec.put(&value, &mut attrs).unwrap();
                let (nr, bytes) = &attrs.0[0];
                prop_assert_eq!(*nr, spec.nr);
                prop_assert_eq!(spec.decode(bytes), Ok(value));
            }
            Err(error) => prop_assert_eq!(error.option(), spec.name),
        }
    }

    #[test]
    fn a_number_in_range_is_read_as_it_is_written(spec in option(), number: i64) {
        if let OptionKind::Number { min, max, .. } = spec.kind {
            let number = min + (number & i64::MAX) % (max - min + 1);
            let text = std::format!("{number}");
            prop_assert_eq!(spec.parse(&text), Ok(OptionValue::Number(number)));
            let above = std::format!("{}", max + 1);
            prop_assert_eq!(spec.parse(&above), Err(OptionError::OutOfRange(spec.name)));
        }
    }

    #[test]
    fn payloads_never_panic(
        spec in option(), payload in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        if let Ok(value) = spec.decode(&payload) {
            let mut attrs = Attrs::default();
            spec.put(&value, &mut attrs).unwrap();
            prop_assert_eq!(spec.decode(&attrs.0[0].1), Ok(value));
        }
    }
}
