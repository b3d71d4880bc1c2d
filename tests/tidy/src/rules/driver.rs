// SPDX-License-Identifier: GPL-2.0

//! Rules of the module's half.

use super::Rule;
use crate::{
    finding::Finding,
    tokens::{self, Kind, Token},
};

/// Only `module/sys` knows the kernel's C names.
pub(super) const BINDINGS: Rule = Rule {
    name: "bindings-home",
    check: |tree| {
        let mut found = Vec::new();
        let files = tree.rust().filter(|file| file.is_in("module"));
        for file in files.filter(|file| !file.is_in("module/sys")) {
            for token in file.tokens.iter().filter(|token| token.is_word("bindings")) {
                let text = "the kernel's C interfaces outside of module/sys";
                found.push(Finding::new("bindings-home", &file.path, token.line, text));
            }
        }
        found
    },
};

/// Imports of several names stand one below the other, closed by `//`, as the kernel has it.
pub(super) const IMPORTS: Rule = Rule {
    name: "vertical-imports",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust().filter(|file| file.is_in("module")) {
            for (at, token) in file.tokens.iter().enumerate() {
                let rest = file.tokens.get(at..).unwrap_or(&[]);
                if token.is_word("use") && !token.in_test && has_flat_group(rest) {
                    let text = "several names in one line";
                    found.push(Finding::new(
                        "vertical-imports",
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

/// Whether the `use` at the start of `tokens` has a group of names in one line.
fn has_flat_group(tokens: &[Token]) -> bool {
    let statement = tokens.iter().take_while(|token| !token.is_mark(';'));
    let mut opens = statement.enumerate().filter(|(_, token)| token.opens('{'));
    opens.any(|(open, token)| {
        let close = tokens::closing(tokens, open);
        let inside = tokens.get(open..close).unwrap_or(&[]);
        let is_group = inside.iter().any(|token| token.kind == Kind::Mark(','));
        is_group && tokens.get(close).is_some_and(|end| end.line == token.line)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::lines, *};

    #[test]
    fn c_names_outside_of_sys_are_found() {
        let text = "use kernel::bindings;\n";
        assert_eq!(lines(BINDINGS, "module/a.rs", text), [1]);
        assert_eq!(lines(BINDINGS, "module/sys/a.rs", text), []);
    }

    #[test]
    fn names_in_one_line_are_found() {
        let path = "module/a.rs";
        assert_eq!(lines(IMPORTS, path, "use a::{b, c};\n"), [1]);
        assert_eq!(
            lines(IMPORTS, path, "use a::{\n    b::{d, e},\n    c, //\n};\n"),
            [1]
        );
        assert_eq!(
            lines(
                IMPORTS,
                path,
                "use a::{\n    b,\n    c, //\n};\nuse d::e;\n"
            ),
            []
        );
        assert_eq!(lines(IMPORTS, "userspace/a.rs", "use a::{b, c};\n"), []);
    }
}
