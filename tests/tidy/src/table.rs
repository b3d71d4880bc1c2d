// SPDX-License-Identifier: GPL-2.0

//! The table of unsafe code, by file and per 1000 lines.

use std::{
    fmt::{self, Write},
    iter::Sum,
};

use crate::{
    tokens::{self, UnsafeKind},
    tree::{File, Tree},
};

/// How much unsafe code there is in how many lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Lines, comments and all.
    pub lines: usize,
    /// Blocks, of `extern` too.
    pub blocks: usize,
    /// `unsafe impl`.
    pub impls: usize,
    /// `unsafe fn`.
    pub functions: usize,
    /// SAFETY comments.
    pub comments: usize,
}

impl Count {
    /// Tenths of blocks per 1000 lines.
    fn tenths(&self) -> usize {
        self.blocks * 10_000 / self.lines.max(1)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (blocks, lines, tenths) = (self.blocks, self.lines, self.tenths());
        let (whole, rest) = (tenths / 10, tenths % 10);
        write!(
            f,
            "{blocks} unsafe blocks in {lines} lines, {whole}.{rest} per 1000"
        )
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            lines: a.lines + b.lines,
            blocks: a.blocks + b.blocks,
            impls: a.impls + b.impls,
            functions: a.functions + b.functions,
            comments: a.comments + b.comments,
        })
    }
}

/// Counts one file.
pub fn count(file: &File) -> Count {
    let mut count = Count {
        lines: file.lines().count(),
        comments: file.text.matches("// SAFETY:").count(),
        ..Count::default()
    };
    for (kind, _) in tokens::unsafe_uses(&file.tokens) {
        match kind {
            UnsafeKind::Block | UnsafeKind::Extern => count.blocks += 1,
            UnsafeKind::Impl => count.impls += 1,
            UnsafeKind::Function => count.functions += 1,
            UnsafeKind::Attribute => {}
        }
    }
    count
}

/// The table, a line for each file that has unsafe code, and the sums.
pub fn of(tree: &Tree) -> String {
    let mut out = String::new();
    let mut row = |name: &str, count: &Count| {
        let Count {
            lines,
            blocks,
            impls,
            functions,
            comments,
        } = count;
        let (whole, rest) = (count.tenths() / 10, count.tenths() % 10);
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "{name:<26} {lines:>6} {blocks:>7} {impls:>6} {functions:>6} {comments:>8} \
             {whole:>6}.{rest}"
        );
    };
    let mut sums = Vec::new();
    for part in [
        "module/sys",
        "module/engine",
        "module",
        "userspace",
        "tests",
    ] {
        let files = tree.rust().filter(|file| file.is_in(part));
        sums.push((part, files.map(count).sum::<Count>()));
    }
    for file in tree.rust() {
        let count = count(file);
        if count.blocks + count.impls + count.functions > 0 {
            row(&file.path, &count);
        }
    }
    for (part, sum) in &sums {
        row(&format!("{part}/ in all"), sum);
    }
    format!("unsafe code                 lines  blocks  impls    fns  SAFETY  per 1000\n{out}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_counted() {
        let text =
            "unsafe impl Send for A {}\nunsafe fn c() {}\n//\u{20}SAFETY: d.\nunsafe { e() }\n";
        let tree = Tree::of(&[("module/sys/a.rs", text)]).unwrap();
        let expected = Count {
            lines: 4,
            blocks: 1,
            impls: 1,
            functions: 1,
            comments: 1,
        };
        assert_eq!(tree.rust().map(count).collect::<Vec<_>>(), [expected]);
        assert_eq!(expected.tenths(), 2500);
    }

    #[test]
    fn the_table_names_files_with_unsafe_code_only() {
        let files = [
            ("module/a.rs", "fn a() {}\n"),
            ("module/sys/b.rs", "unsafe fn b() {}\n"),
        ];
        let table = of(&Tree::of(&files).unwrap());
        assert!(table.contains("module/sys/b.rs"));
        assert!(!table.contains("module/a.rs"));
    }
}
