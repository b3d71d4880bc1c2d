// SPDX-License-Identifier: GPL-2.0

//! Rules of the engine: what it must not know.

use super::Rule;
use crate::{
    finding::Finding,
    tokens::{Kind, Token},
    tree::{File, Tree},
};

const FOLDER: &str = "module/engine";

/// No kernel, no `std`, no allocation, no floats, no conditions but `cfg(test)`.
pub(super) const PURE: Rule = Rule {
    name: "engine-pure",
    check: |tree| {
        let mut found = Vec::new();
        for file in code(tree) {
            for (at, token) in file.tokens.iter().enumerate() {
                if token.in_test {
                    continue;
                }
                if let Some(text) = impurity(file.tokens.get(at..).unwrap_or(&[])) {
                    found.push(Finding::new("engine-pure", &file.path, token.line, text));
                }
            }
        }
        found
    },
};

/// Parts of the engine whose formats are those of the machine: netlink.
const NATIVE: &[&str] = &["module/engine/control", "module/engine/options"];

/// Numbers on the wire and on disk have a byte order of their own, not the machine's.
pub(super) const BYTE_ORDER: Rule = Rule {
    name: "engine-byte-order",
    check: |tree| {
        let mut found = Vec::new();
        for file in code(tree) {
            if NATIVE.iter().any(|folder| file.is_in(folder)) {
                continue;
            }
            for token in file.tokens.iter().filter(|token| !token.in_test) {
                let native = ["to_ne_bytes", "from_ne_bytes"];
                if native.iter().any(|word| token.is_word(word)) {
                    let text = "the byte order of this machine";
                    found.push(Finding::new(
                        "engine-byte-order",
                        &file.path,
                        token.line,
                        text,
                    ));
                }
            }
        }
        found
    },
};

/// Tests of the module lie in files of their own, beside what they test.
pub(super) const SIBLING_TESTS: Rule = Rule {
    name: "sibling-tests",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust().filter(|file| file.is_in("module")) {
            for words in file.tokens.windows(3) {
                if let [keyword, name, open] = words {
                    let is_inline = open.opens('{') && matches!(name.kind, Kind::Word(_));
                    if keyword.is_word("mod") && keyword.in_test && is_inline {
                        let text = "tests inside of the file they test";
                        found.push(Finding::new(
                            "sibling-tests",
                            &file.path,
                            keyword.line,
                            text,
                        ));
                    }
                }
            }
        }
        found
    },
};

fn code(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.rust()
        .filter(|file| file.is_in(FOLDER) && !file.is_test())
}

/// What is wrong with the first of some tokens.
fn impurity(tokens: &[Token]) -> Option<String> {
    let next = |n: usize| tokens.get(n);
    let first = tokens.first()?;
    match &first.kind {
        Kind::Word(word) => match word.as_str() {
            "kernel" | "std" | "alloc" => {
                let is_path = next(1)?.is_mark(':') && next(2)?.is_mark(':');
                is_path.then(|| format!("a path into {word}"))
            }
            "f32" | "f64" => Some("a float".to_owned()),
            "unsafe" => Some("unsafe code".to_owned()),
            "cfg" if next(1)?.is_mark('!') => Some("a condition: cfg!".to_owned()),
            "cfg" if next(1)?.opens('(') => {
                let is_test = next(2)?.is_word("test") && next(3)?.kind == Kind::Close(')');
                (!is_test).then(|| "a condition other than cfg(test)".to_owned())
            }
            "cfg_attr" if next(1)?.opens('(') => {
                // The level of a lint changes nothing in what is built.
                let words = ["not", "test", "deny"];
                let is_lint = words.iter().zip([2, 4, 7]).all(|(word, at)| {
                    let token = next(at);
                    token.is_some_and(|token| token.is_word(word))
                });
                (!is_lint).then(|| "a condition that is not about lints".to_owned())
            }
            _ => None,
        },
        Kind::Literal(text) => is_float(text).then(|| format!("a float: {text}")),
        _ => None,
    }
}

/// Whether a number goes on, after its first digits, with a point, an exponent or a float's type.
fn is_float(literal: &str) -> bool {
    let rest = literal.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
    rest.len() < literal.len() && rest.starts_with(['.', 'e', 'E', 'f'])
}

#[cfg(test)]
mod tests {
    use super::{super::lines, *};

    fn pure(text: &str) -> Vec<usize> {
        lines(PURE, "module/engine/a.rs", text)
    }

    #[test]
    fn the_engine_knows_no_kernel_std_or_allocator() {
        for path in [
            "kernel::prelude",
            "std::vec::Vec",
            "alloc::vec::Vec",
            "::std::mem",
        ] {
            assert_eq!(pure(&format!("use {path};\n")), [1], "{path}");
        }
        assert_eq!(
            pure("use core::mem;\nuse crate::engine::a;\nlet kernel: u8 = 0;\n"),
            []
        );
        assert_eq!(lines(PURE, "module/a.rs", "use kernel::prelude;\n"), []);
    }

    #[test]
    fn the_engine_has_no_floats() {
        for float in ["1.0", "1e9", "2f32", "0 as f64"] {
            assert_eq!(pure(&format!("const A: u8 = {float};\n")), [1], "{float}");
        }
        assert_eq!(pure("const A: u32 = 0x1e5 + 7_usize + 7_u8;\n"), []);
    }

    #[test]
    fn the_only_condition_is_cfg_test() {
        assert_eq!(pure("#[cfg(test)]\nmod tests;\n"), []);
        assert_eq!(pure("#[cfg(feature = \"a\")]\nmod a;\n"), [1]);
        assert_eq!(pure("#[cfg(not(test))]\nmod a;\n"), [1]);
        assert_eq!(pure("#[cfg_attr(test, derive(A))]\nstruct A;\n"), [1]);
        assert_eq!(pure("#![cfg_attr(not(test), deny(clippy::panic))]\n"), []);
        assert_eq!(pure("#![cfg_attr(not(test), no_std)]\n"), [1]);
        assert_eq!(pure("fn a() { if cfg!(test) {} }\n"), [1]);
    }

    #[test]
    fn tests_of_the_engine_may_use_std() {
        assert_eq!(
            pure("#[cfg(test)]\nmod a { use std::vec::Vec; }\nuse std::a;\n"),
            [3]
        );
        assert_eq!(
            lines(PURE, "module/engine/a_tests.rs", "use std::vec::Vec;\n"),
            []
        );
        assert_eq!(
            lines(PURE, "module/engine/wire/tests.rs", "use std::vec::Vec;\n"),
            []
        );
    }

    #[test]
    fn the_machine_s_byte_order_is_for_netlink_alone() {
        let text = "fn a() { 1_u32.to_ne_bytes(); }\n";
        assert_eq!(lines(BYTE_ORDER, "module/engine/wire/a.rs", text), [1]);
        assert_eq!(lines(BYTE_ORDER, "module/engine/control/a.rs", text), []);
    }

    #[test]
    fn tests_inside_of_a_file_are_found() {
        let path = "module/a.rs";
        assert_eq!(
            lines(SIBLING_TESTS, path, "#[cfg(test)]\nmod tests {}\n"),
            [2]
        );
        assert_eq!(
            lines(SIBLING_TESTS, path, "#[cfg(test)]\nmod tests;\nmod a {}\n"),
            []
        );
        assert_eq!(
            lines(SIBLING_TESTS, "tests/a.rs", "#[cfg(test)]\nmod tests {}\n"),
            []
        );
    }
}
