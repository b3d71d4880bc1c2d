// SPDX-License-Identifier: GPL-2.0

//! Rules about how files begin.

use super::Rule;
use crate::finding::Finding;

const LICENCE: &str = "SPDX-License-Identifier: GPL-2.0";

/// Sources name their licence in the first line, scripts in the second.
pub(super) const SPDX: Rule = Rule {
    name: "spdx",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.files() {
            let (line, comment) = match file.extension() {
                Some("rs") => (1, "//"),
                // Kernel headers use the comment that assemblers understand.
                Some("c") => (1, "//"),
                Some("h") => (1, "/*"),
                _ if file.text.starts_with("#!") => (2, "#"),
                Some("sh") => (1, "#"),
                _ if ["Makefile", "Kbuild"].contains(&file.name()) => (1, "#"),
                _ => continue,
            };
            let head = file.text.lines().nth(line - 1).unwrap_or("");
            if !(head.starts_with(comment) && head.contains(LICENCE)) {
                let text = format!("the line is not '{comment} {LICENCE}'");
                found.push(Finding::new("spdx", &file.path, line, text));
            }
        }
        found
    },
};

/// Every Rust file says after its licence what it is.
pub(super) const MODULE_DOC: Rule = Rule {
    name: "module-doc",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.rust() {
            let mut head = file.lines().skip(1).filter(|(_, line)| !line.is_empty());
            if !head
                .next()
                .is_some_and(|(_, line)| line.starts_with("//! "))
            {
                let text = "no //! after the licence";
                found.push(Finding::new("module-doc", &file.path, 3, text));
            }
        }
        found
    },
};

#[cfg(test)]
mod tests {
    use super::{super::lines, *};

    #[test]
    fn sources_and_scripts_need_a_licence() {
        let spdx = "// SPDX-License-Identifier: GPL-2.0\n";
        assert_eq!(lines(SPDX, "a.rs", spdx), []);
        assert_eq!(lines(SPDX, "a.rs", "//! A.\n"), [1]);
        assert_eq!(lines(SPDX, "a.rs", &spdx.replace("2.0", "3.0")), [1]);
        assert_eq!(lines(SPDX, "scripts/x", "#!/bin/sh\necho\n"), [2]);
        assert_eq!(lines(SPDX, "Makefile", "all:\n"), [1]);
        assert_eq!(lines(SPDX, "a.md", "# A\n"), []);
    }

    #[test]
    fn rust_files_need_a_doc() {
        let spdx = "// SPDX-License-Identifier: GPL-2.0\n";
        assert_eq!(lines(MODULE_DOC, "a.rs", &format!("{spdx}\n//! A.\n")), []);
        assert_eq!(lines(MODULE_DOC, "a.rs", &format!("{spdx}\nuse a;\n")), [3]);
    }
}
