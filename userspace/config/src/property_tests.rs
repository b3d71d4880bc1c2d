// SPDX-License-Identifier: GPL-2.0

//! Properties of the parser: what it dumps it reads back the same, and nothing makes it panic.

use crate::{
    parse,
    tests::Memory,
    Dump, //
};
use proptest::prelude::*;

/// Text that a value of a handler can have.
fn text() -> impl Strategy<Value = String> {
    "[ -~]{0,60}"
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,8}"
}

fn in_quotes(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

prop_compose! {
    fn volume(number: u32)(
        minor in 0_u32..1000,
        disk in word(),
        meta in 0_u32..4,
        rate in 250_u32..100_000,
    ) -> String {
        let meta = match meta {
            0 => "meta-disk internal;".to_owned(),
            1 => format!("flexible-meta-disk /dev/m{number}-{disk};"),
            meta => format!("meta-disk /dev/m-{disk} [{}];", meta + number),
        };
        format!(
            "volume {number} {{ device minor {}; disk /dev/{number}-{disk}; {meta} \
             disk {{ c-max-rate {rate}; }} }}",
            minor * 10 + number
        )
    }
}

prop_compose! {
    fn resource(index: u32)(
        first in volume(0),
        second in volume(1),
        protocol in "[ABCabc]",
        handler in text(),
        secret in "[ -~]{0,60}",
        timeout in 0_u32..300_000,
        buffers in 32_u32..131_072,
    ) -> String {
        format!(
            "resource r{index} {{ protocol {protocol}; \
             net {{ max-buffers {buffers}; shared-secret {}; allow-two-primaries; }} \
             handlers {{ fence-peer {}; }} startup {{ wfc-timeout {timeout}; }} \
             on a{index} {{ address 10.0.{index}.1:7788; {first} {second} }} \
             on b{index} {{ address ipv6 [fd00::{index}]:7788; {first} {second} }} }}\n",
            in_quotes(&secret),
            in_quotes(&handler),
        )
    }
}

fn dump(text: &str) -> Result<String, String> {
    let config = parse("f", text, &mut Memory::default());
    let config = config.map_err(|problems| problems[0].to_string())?;
    let dump = Dump::config(&config, "node", |_| false);
    // Line numbers differ, of course.
    let lines = dump
        .lines()
        .filter(|line| !line.starts_with("# defined at"));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

proptest! {
    #[test]
    fn a_dump_is_read_back_the_same(first in resource(1), second in resource(2)) {
        let text = format!("global {{ usage-count no; }} common {{ }}\n{first}{second}");
        let once = dump(&text);
        prop_assert!(once.is_ok(), "{once:?}\n{text}");
        let once = once.unwrap_or_default();
        prop_assert_eq!(dump(&once), Ok(once));
    }

    #[test]
    fn a_file_that_is_cut_is_no_panic(text in resource(1), at in any::<prop::sample::Index>()) {
        let cut = text.get(..at.index(text.len())).unwrap_or_default();
        let _ = dump(cut);
    }

    #[test]
    fn garbage_is_no_panic(text in "[ -~\n\t\u{80}-\u{ff}]{0,300}") {
        let _ = dump(&text);
    }

    #[test]
    fn garbage_of_the_right_words_is_no_panic(words in prop::collection::vec(
        prop::sample::select(vec![
            "resource", "r", "{", "}", ";", "on", "a", "address", "ipv6", "[", "]", ":", "fd00",
            "10.0.0.1", "7788", "device", "minor", "0", "disk", "/dev/x", "meta-disk", "internal",
            "net", "protocol", "C", "volume", "floating", "common", "global", "skip", "\"x\"",
            "include", "startup", "become-primary-on", "handlers", "fence-peer", "options",
        ]), 0..60)) {
        let _ = dump(&words.join(" "));
    }
}
