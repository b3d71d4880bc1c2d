// SPDX-License-Identifier: GPL-2.0

//! Rules about `unsafe`.

use super::Rule;
use crate::{
    finding::Finding,
    table::{self, Count},
    tokens::{self, UnsafeKind},
    tree::Tree,
};

/// The only folder that may use it.
const HOME_FOLDER: &str = "module/sys";

/// The crate root: it holds `module/sys` and so cannot forbid it.
const CRATE_ROOT: &str = "module/tandem_main.rs";

/// Most unsafe blocks per 10,000 lines, in `module/sys` and in the module as a whole. These numbers
/// may only fall; wanted are 450 and 60.
const SYS_BUDGET: usize = 470;
const MODULE_BUDGET: usize = 65;

/// `unsafe` only in `module/sys`.
pub(super) const HOME: Rule = Rule {
    name: "unsafe-home",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust().filter(|file| !file.is_in(HOME_FOLDER)) {
            for (_, line) in tokens::unsafe_uses(&file.tokens) {
                let text = format!("unsafe code outside of {HOME_FOLDER}");
                found.push(Finding::new("unsafe-home", &file.path, line, text));
            }
        }
        found
    },
};

/// All other files of the driver say so themselves, where the compiler sees it. The engine says it
/// once, at its top.
pub(super) const FORBIDDEN: Rule = Rule {
    name: "unsafe-forbidden",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust() {
            let is_driver = file.is_in("module") && !file.is_in(HOME_FOLDER);
            let is_engine = file.is_in("module/engine") && file.path != "module/engine/mod.rs";
            if !is_driver || is_engine || file.path == CRATE_ROOT {
                continue;
            }
            if !file.text.contains("\n#![forbid(unsafe_code)]\n") {
                let text = "no #![forbid(unsafe_code)]";
                found.push(Finding::new("unsafe-forbidden", &file.path, 0, text));
            }
        }
        found
    },
};

/// Every use says why it is right, in a comment with that word; functions have a section of it.
pub(super) const SAFETY: Rule = Rule {
    name: "safety-comment",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust() {
            let lines: Vec<&str> = file.text.lines().collect();
            for (kind, line) in tokens::unsafe_uses(&file.tokens) {
                // Clippy wants none at declarations: their users have to say it.
                if kind != UnsafeKind::Extern && !is_explained(&lines, line) {
                    let text = "unsafe without a SAFETY comment";
                    found.push(Finding::new("safety-comment", &file.path, line, text));
                }
            }
        }
        found
    },
};

/// So many unsafe blocks at most.
pub(super) const BUDGET: Rule = Rule {
    name: "unsafe-budget",
    check: |tree| {
        let mut found = Vec::new();
        for (folder, most) in [(HOME_FOLDER, SYS_BUDGET), ("module", MODULE_BUDGET)] {
            let sum = sum_of(tree, folder);
            if sum.blocks * 10_000 > most * sum.lines {
                let text = format!("{sum}, {}.{} at most", most / 10, most % 10);
                found.push(Finding::new("unsafe-budget", folder, 0, text));
            }
        }
        found
    },
};

fn sum_of(tree: &Tree, folder: &str) -> Count {
    let files = tree.rust().filter(|file| file.is_in(folder));
    files.map(table::count).sum()
}

/// Whether a line, or the comment above its statement, has the word. `line` counts from 1.
fn is_explained(lines: &[&str], line: usize) -> bool {
    let text = |nr: usize| nr.checked_sub(1).and_then(|at| lines.get(at)).copied();
    let has_word = |text: &str| text.contains("SAFETY:") || text.contains("# Safety");
    if text(line).is_some_and(has_word) {
        return true;
    }
    let mut above = line - 1;
    while let Some(line) = text(above).map(str::trim) {
        let is_comment = line.starts_with("//");
        if is_comment && has_word(line) {
            return true;
        }
        let ends_statement = line.is_empty() || line.ends_with([';', '{', '}', ',']);
        if !is_comment && !line.starts_with("#[") && ends_statement {
            return false;
        }
        above -= 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{
        super::{lines, run},
        *,
    };

    const BLOCK: &str = "fn f() {\n    // SAFETY: it is.\n    unsafe { g() };\n}\n";

    #[test]
    fn unsafe_outside_of_its_home_is_found() {
        assert_eq!(lines(HOME, "module/sys/a.rs", BLOCK), []);
        assert_eq!(lines(HOME, "module/a.rs", BLOCK), [3]);
        assert_eq!(
            lines(HOME, "userspace/a.rs", "unsafe impl Send for A {}\n"),
            [1]
        );
        assert_eq!(lines(HOME, "module/a.rs", "// unsafe { }\n"), []);
    }

    #[test]
    fn driver_files_have_to_forbid_it() {
        let good = "//! A.\n#![forbid(unsafe_code)]\n";
        assert_eq!(lines(FORBIDDEN, "module/a.rs", good), []);
        assert_eq!(lines(FORBIDDEN, "module/a.rs", "//! A.\n"), [0]);
        assert_eq!(lines(FORBIDDEN, "module/engine/mod.rs", "//! A.\n"), [0]);
        assert_eq!(lines(FORBIDDEN, "module/engine/a.rs", "//! A.\n"), []);
        assert_eq!(lines(FORBIDDEN, "module/sys/a.rs", "//! A.\n"), []);
    }

    #[test]
    fn every_use_needs_its_comment() {
        let path = "module/sys/a.rs";
        assert_eq!(lines(SAFETY, path, BLOCK), []);
        assert_eq!(lines(SAFETY, path, &BLOCK.replace("SAFETY:", "")), [3]);
        let two = "fn f() {\n// SAFETY: it is.\nunsafe { g() };\nunsafe { g() };\n}\n";
        assert_eq!(lines(SAFETY, path, two), [4]);
        let within = "fn f() {\n// SAFETY: it is.\nlet a =\n b(unsafe { g() });\n}\n";
        assert_eq!(lines(SAFETY, path, within), []);
        let doc = "/// A.\n///\n/// # Safety\n/// Never.\n#[inline]\nunsafe fn f() {}\n";
        assert_eq!(lines(SAFETY, path, doc), []);
        assert_eq!(lines(SAFETY, path, "/// A.\nunsafe fn f() {}\n"), [2]);
        assert_eq!(lines(SAFETY, path, "unsafe impl Send for A {}\n"), [1]);
    }

    #[test]
    fn more_blocks_than_the_budget_are_found() {
        let many = BLOCK.repeat(4);
        let found = run(BUDGET, &[("module/sys/a.rs", &many)]);
        assert_eq!(found, [("module/sys".into(), 0), ("module".into(), 0)]);
        let rest = "//\n".repeat(1000);
        let long = format!("{BLOCK}{rest}");
        assert_eq!(run(BUDGET, &[("module/sys/a.rs", &long)]), []);
    }
}
