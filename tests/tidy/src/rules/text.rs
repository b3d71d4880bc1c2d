// SPDX-License-Identifier: GPL-2.0

//! Rules about any text: width, characters, white space, notes to oneself.

use super::Rule;
use crate::{
    finding::Finding,
    tree::{File, Tree},
};

/// Columns of code, and of documents and scripts.
const CODE_COLUMNS: usize = 100;
const TEXT_COLUMNS: usize = 120;

/// Columns of a tab, as the kernel has it.
const TAB: usize = 8;

/// Lines are at most 100 columns wide, in documents and scripts 120. Tables and links can't be
/// broken.
pub(super) const LINE_LENGTH: Rule = Rule {
    name: "line-length",
    check: |tree| {
        per_line(tree, |file, line| {
            let most = match file.extension() {
                Some("rs" | "c" | "h") => CODE_COLUMNS,
                _ => TEXT_COLUMNS,
            };
            let is_table = file.extension() == Some("md") && line.starts_with('|');
            let width = columns(line);
            (width > most && !is_table && !line.contains("://"))
                .then(|| ("line-length", format!("{width} columns, {most} at most")))
        })
    },
};

/// Files are plain ASCII.
pub(super) const ASCII: Rule = Rule {
    name: "ascii",
    check: |tree| {
        per_line(tree, |_, line| {
            let odd = line.chars().find(|c| !c.is_ascii())?;
            Some(("ascii", format!("'{odd}' is not ASCII")))
        })
    },
};

/// No white space at the end of lines, no carriage returns, one newline at the end of files.
pub(super) const WHITESPACE: Rule = Rule {
    name: "whitespace",
    check: |tree| {
        let mut found = per_line(tree, |_, line| {
            let text = "white space at the end of the line".to_owned();
            (line.trim_end() != line).then_some(("whitespace", text))
        });
        for file in tree.files() {
            let text = &file.text;
            if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
                let last = text.lines().count();
                let text = "the file does not end with one newline";
                found.push(Finding::new("whitespace", &file.path, last, text));
            }
        }
        found
    },
};

/// A note of something to do names who does it or an issue; other such words are not used.
pub(super) const NOTE: Rule = Rule {
    name: "todo",
    check: |tree| {
        per_line(tree, |file, line| {
            // This file has to name the words.
            if file.path == "tests/tidy/src/rules/text.rs" {
                return None;
            }
            let banned = words(line).find(|word| ["FIXME", "XXX", "HACK"].contains(word));
            if let Some(word) = banned {
                return Some((
                    "todo",
                    format!("{word}: mend it, or say TODO(name or issue)"),
                ));
            }
            let rest = line.split_once("TODO")?.1;
            let named = rest
                .strip_prefix('(')
                .is_some_and(|rest| !rest.starts_with(')'));
            (!named).then(|| ("todo", "TODO without (name or issue)".to_owned()))
        })
    },
};

/// Starts of paths that only the author's machine has.
const HOMES: &[&str] = &[concat!("/ho", "me/"), concat!("/ro", "ot/")];

/// No paths of the machine that a line was written on.
pub(super) const MACHINE_PATH: Rule = Rule {
    name: "machine-path",
    check: |tree| {
        per_line(tree, |_, line| {
            let home = HOMES.iter().find(|home| line.contains(**home))?;
            Some(("machine-path", format!("{home} is somebody's own")))
        })
    },
};

fn columns(line: &str) -> usize {
    line.chars().fold(0, |width, c| match c {
        '\t' => (width / TAB + 1) * TAB,
        _ => width + 1,
    })
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric())
}

/// Asks of all lines of all files whether there is something wrong.
fn per_line(
    tree: &Tree,
    check: impl Fn(&File, &str) -> Option<(&'static str, String)>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files() {
        // Not `str::lines`: it hides carriage returns.
        for (nr, line) in (1..).zip(file.text.split('\n')) {
            if let Some((rule, text)) = check(file, line) {
                found.push(Finding::new(rule, &file.path, nr, text));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{super::lines, *};

    #[test]
    fn code_is_100_columns_wide_and_text_120() {
        let line = |width: usize| format!("//{}\n", "x".repeat(width - 2));
        assert_eq!(lines(LINE_LENGTH, "a.rs", &line(100)), []);
        assert_eq!(lines(LINE_LENGTH, "a.rs", &line(101)), [1]);
        assert_eq!(lines(LINE_LENGTH, "a.md", &line(120)), []);
        assert_eq!(lines(LINE_LENGTH, "a.md", &line(121)), [1]);
        assert_eq!(lines(LINE_LENGTH, "a.md", &format!("|{}", line(200))), []);
    }

    #[test]
    fn a_tab_goes_to_the_next_multiple_of_eight() {
        assert_eq!(columns("\tx"), 9);
        assert_eq!(columns("1234\tx"), 9);
        assert_eq!(lines(LINE_LENGTH, "a.c", &"\t".repeat(13)), [1]);
    }

    #[test]
    fn other_characters_than_ascii_are_found() {
        assert_eq!(lines(ASCII, "a.md", "one\ntwo \u{2013} three\n"), [2]);
    }

    #[test]
    fn white_space_at_ends_is_found() {
        assert_eq!(lines(WHITESPACE, "a.md", "a\nb \nc\r\n"), [2, 3]);
        assert_eq!(lines(WHITESPACE, "a.md", "a"), [1]);
        assert_eq!(lines(WHITESPACE, "a.md", "a\n\n"), [2]);
        assert_eq!(lines(WHITESPACE, "a.md", "a\n"), []);
    }

    #[test]
    fn a_todo_needs_a_name_or_an_issue() {
        assert_eq!(lines(NOTE, "a.c", "// TODO: later\n// TODO(#3): x\n"), [1]);
        assert_eq!(lines(NOTE, "a.c", "// TODO()\n// FIXME(me)\n"), [1, 2]);
        assert_eq!(lines(NOTE, "a.sh", "mktemp a-XXXXXX\n"), []);
    }

    #[test]
    fn a_path_of_a_home_is_found() {
        let text = format!("see {}me/x\n", HOMES[0]);
        assert_eq!(lines(MACHINE_PATH, "a.md", &text), [1]);
    }
}
