// SPDX-License-Identifier: GPL-2.0

//! Rules about single words of code.

use super::Rule;
use crate::{
    finding::Finding,
    tokens::{Kind, Token},
    tree::File,
};

/// Macros that stop the program.
const STOPPING: &[&str] = &["panic", "unreachable", "todo", "unimplemented"];

/// Assertions; in the kernel they stop the machine, unless the compiler evaluates them.
const ASSERTING: &[&str] = &["assert", "assert_eq", "assert_ne", "debug_assert"];

/// What a user runs does not stop with a panic, and nothing left over from debugging runs.
pub(super) const PANICS: Rule = Rule {
    name: "panics",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust() {
            for (at, token) in file.tokens.iter().enumerate() {
                if let Some(text) = panics(file, at, token) {
                    found.push(Finding::new("panics", &file.path, token.line, text));
                }
            }
        }
        found
    },
};

fn panics(file: &File, at: usize, token: &Token) -> Option<String> {
    let Kind::Word(word) = &token.kind else {
        return None;
    };
    let word = word.as_str();
    let is_marked = |at: Option<usize>, mark: char| {
        let token = at.and_then(|at| file.tokens.get(at));
        token.is_some_and(|token| token.is_mark(mark))
    };
    let is_macro = is_marked(at.checked_add(1), '!');
    if is_macro && word == "dbg" {
        return Some("left over from debugging".to_owned());
    }
    let is_shipped = file.is_in("module") || file.is_in("userspace");
    if !is_shipped || file.is_test() || token.in_test {
        return None;
    }
    let is_method = is_marked(at.checked_sub(1), '.');
    let stops = is_macro && STOPPING.contains(&word)
        || is_method && ["unwrap", "expect"].contains(&word)
        || is_macro && ASSERTING.contains(&word) && file.is_in("module") && !is_const(file, at);
    stops.then(|| format!("'{word}' outside of tests"))
}

/// Whether the word stands in `const _: () = ...`, or in `const { ... }`.
fn is_const(file: &File, at: usize) -> bool {
    let before = file.tokens.get(..at).unwrap_or(&[]);
    let statement = before.iter().rev().take_while(|token| !token.is_mark(';'));
    statement.take(8).any(|token| token.is_word("const"))
}

/// A lint is expected, not allowed: then it is told when it goes away.
pub(super) const ALLOW: Rule = Rule {
    name: "allow",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust() {
            for words in file.tokens.windows(3) {
                if let [bracket, word, open] = words {
                    if bracket.opens('[') && word.is_word("allow") && open.opens('(') {
                        let text = "say expect, not allow";
                        found.push(Finding::new("allow", &file.path, word.line, text));
                    }
                }
            }
        }
        found
    },
};

/// Nothing is skipped in silence.
pub(super) const IGNORED_TEST: Rule = Rule {
    name: "ignored-test",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust() {
            for words in file.tokens.windows(2) {
                if let [bracket, word] = words {
                    if bracket.opens('[') && word.is_word("ignore") {
                        let text = "a test that is never run";
                        found.push(Finding::new("ignored-test", &file.path, word.line, text));
                    }
                }
            }
        }
        found
    },
};

/// Cases wait for events, they do not sleep.
pub(super) const SLEEP: Rule = Rule {
    name: "sleep",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree
            .rust()
            .filter(|file| file.is_in("tests/cases/src/cases"))
        {
            for (line, text) in file.lines() {
                if text
                    .split(|c: char| !c.is_ascii_alphanumeric())
                    .any(|word| word == "sleep")
                {
                    let text = "wait for an event instead";
                    found.push(Finding::new("sleep", &file.path, line, text));
                }
            }
        }
        found
    },
};

/// A folder's own file is `mod.rs` in it, not a file of its name beside it.
pub(super) const MOD_FILE: Rule = Rule {
    name: "mod-file",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust() {
            let folder = file.path.trim_end_matches(".rs");
            if tree.rust().any(|other| other.is_in(folder)) {
                let text = format!("move it to {folder}/mod.rs");
                found.push(Finding::new("mod-file", &file.path, 0, text));
            }
        }
        found
    },
};

#[cfg(test)]
mod tests {
    use super::{
        super::{lines, run},
        *,
    };

    #[test]
    fn what_stops_the_program_is_found_outside_of_tests() {
        let path = "userspace/tool/src/a.rs";
        for call in [
            "a.unwrap()",
            "a.expect(\"b\")",
            "panic!()",
            "todo!()",
            "dbg!(a)",
        ] {
            assert_eq!(
                lines(PANICS, path, &format!("fn f() {{ {call}; }}\n")),
                [1],
                "{call}"
            );
        }
        assert_eq!(
            lines(PANICS, path, "fn f() { a.unwrap_or(b); expect(c); }\n"),
            []
        );
        assert_eq!(
            lines(
                PANICS,
                path,
                "#[cfg(test)]\nmod t { fn f() { a.unwrap(); } }\n"
            ),
            []
        );
        assert_eq!(
            lines(PANICS, "tests/a/src/b.rs", "fn f() { a.unwrap(); }\n"),
            []
        );
        assert_eq!(
            lines(PANICS, "tests/a/src/b.rs", "fn f() { dbg!(a); }\n"),
            [1]
        );
    }

    #[test]
    fn only_the_compiler_may_assert_in_the_module() {
        let path = "module/a.rs";
        assert_eq!(
            lines(PANICS, path, "fn f() { let a = 1; assert!(b); }\n"),
            [1]
        );
        assert_eq!(lines(PANICS, path, "const _: () = assert!(A == B);\n"), []);
        assert_eq!(
            lines(PANICS, path, "fn f() { const { assert!(A == B) }; }\n"),
            []
        );
    }

    #[test]
    fn an_allowed_lint_is_found() {
        assert_eq!(
            lines(ALLOW, "a.rs", "#[allow(dead_code)]\nfn a() {}\n"),
            [1]
        );
        assert_eq!(lines(ALLOW, "a.rs", "#![allow(dead_code)]\n"), [1]);
        assert_eq!(
            lines(ALLOW, "a.rs", "#[expect(dead_code)]\nfn a() {}\n"),
            []
        );
    }

    #[test]
    fn an_ignored_test_is_found() {
        assert_eq!(
            lines(IGNORED_TEST, "a.rs", "#[test]\n#[ignore]\nfn a() {}\n"),
            [2]
        );
        assert_eq!(
            lines(IGNORED_TEST, "a.rs", "#[ignore = \"b\"]\nfn a() {}\n"),
            [1]
        );
    }

    #[test]
    fn a_case_that_sleeps_is_found() {
        let text = "fn run() { pair.a.sh(\"sleep 1\"); }\n";
        assert_eq!(lines(SLEEP, "tests/cases/src/cases/a.rs", text), [1]);
        assert_eq!(lines(SLEEP, "tests/vm/src/a.rs", text), []);
    }

    #[test]
    fn a_file_beside_its_folder_is_found() {
        let found = run(MOD_FILE, &[("a/b.rs", "mod c;\n"), ("a/b/c.rs", "\n")]);
        assert_eq!(found, [("a/b.rs".into(), 0)]);
        assert_eq!(
            run(MOD_FILE, &[("a/b/mod.rs", "mod c;\n"), ("a/b/c.rs", "\n")]),
            []
        );
    }
}
