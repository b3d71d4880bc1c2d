// SPDX-License-Identifier: GPL-2.0

//! Rules about how long things may be.

use super::Rule;
use crate::{finding::Finding, tokens};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// Files of code have at most 600 lines.
pub(super) const FILE: Rule = Rule {
    name: "file-length",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.files() {
            let is_code = matches!(file.extension(), Some("rs" | "c" | "h")) || file.is_script();
            let lines = file.lines().count();
            if is_code && lines > FILE_LINES {
                let text = format!("{lines} lines, {FILE_LINES} at most");
                found.push(Finding::new("file-length", &file.path, 0, text).measuring(lines));
            }
        }
        found
    },
};

/// Functions have at most 70 lines, from `fn` to the closing brace.
pub(super) const FUNCTION: Rule = Rule {
    name: "function-length",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust() {
            for function in tokens::functions(&file.tokens) {
                let (name, first) = (&function.name, function.first_line);
                let lines = function.last_line - first + 1;
                if lines > FUNCTION_LINES {
                    let text = format!("'{name}' has {lines} lines, {FUNCTION_LINES} at most");
                    let finding = Finding::new("function-length", &file.path, first, text);
                    found.push(finding.measuring(lines).of_item(name));
                }
            }
        }
        found
    },
};

#[cfg(test)]
mod tests {
    use super::{super::lines, *};

    #[test]
    fn a_file_of_601_lines_is_too_long() {
        assert_eq!(lines(FILE, "a.rs", &"//\n".repeat(600)), []);
        assert_eq!(lines(FILE, "a.rs", &"//\n".repeat(601)), [0]);
        assert_eq!(lines(FILE, "a.md", &"x\n".repeat(601)), []);
    }

    #[test]
    fn a_function_of_71_lines_is_too_long() {
        let function = |lines: usize| format!("\nfn f() {{\n{}}}\n", "a();\n".repeat(lines - 2));
        assert_eq!(lines(FUNCTION, "a.rs", &function(70)), []);
        assert_eq!(lines(FUNCTION, "a.rs", &function(71)), [2]);
    }
}
