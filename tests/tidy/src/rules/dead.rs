// SPDX-License-Identifier: GPL-2.0

//! Rules against files that nothing uses, and links to files that are not there.

use std::collections::BTreeSet;

use super::Rule;
use crate::{
    finding::Finding,
    tokens::Kind,
    tree::{File, Tree},
};

/// Every Rust file is a crate's root or a module of a living file.
pub(super) const RUST: Rule = Rule {
    name: "dead-rust",
    check: |tree| {
        let mut living = BTreeSet::new();
        let mut to_visit: Vec<&File> = tree.rust().filter(|file| is_root(tree, file)).collect();
        while let Some(file) = to_visit.pop() {
            if living.insert(file.path.as_str()) {
                to_visit.extend(modules(file).iter().filter_map(|path| tree.file(path)));
            }
        }
        let dead = tree
            .rust()
            .filter(|file| !living.contains(file.path.as_str()));
        let text = "no crate has this file";
        dead.map(|file| Finding::new("dead-rust", &file.path, 0, text))
            .collect()
    },
};

/// Every other source, script and document is named in another file.
pub(super) const OTHER: Rule = Rule {
    name: "dead-file",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.files() {
            let is_document = file.is_in("Documentation");
            let name = match file.extension() {
                // Kbuild names the object.
                Some("c") => file.name().replace(".c", ".o"),
                Some("h") => file.name().to_owned(),
                _ if is_document || file.is_script() => file.name().to_owned(),
                _ => continue,
            };
            // The entry point of whoever checks commits.
            let is_entry = file.is_in(".ci");
            let mut others = tree.files().filter(|other| other.path != file.path);
            if !is_entry && !others.any(|other| names(&other.text, &name)) {
                let text = format!("nothing names {name}");
                found.push(Finding::new("dead-file", &file.path, 0, text));
            }
        }
        found
    },
};

/// Links of documents lead somewhere.
pub(super) const LINKS: Rule = Rule {
    name: "dead-link",
    check: |tree| {
        let mut found = Vec::new();
        for file in tree.files().filter(|file| file.extension() == Some("md")) {
            for (line, text) in file.lines() {
                for link in text
                    .split("](")
                    .skip(1)
                    .filter_map(|rest| rest.split(')').next())
                {
                    let target = link.split('#').next().unwrap_or("");
                    if target.is_empty() || target.contains("://") {
                        continue;
                    }
                    let path = joined(file.folder(), target);
                    let folder = path.trim_end_matches('/');
                    let is_there =
                        tree.file(&path).is_some() || tree.files().any(|f| f.is_in(folder));
                    if !is_there {
                        let text = format!("{path} is not there");
                        found.push(Finding::new("dead-link", &file.path, line, text));
                    }
                }
            }
        }
        found
    },
};

/// Whether `text` has `name` as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|s| s.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|s| s.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Whether a crate starts with this file: as Cargo finds it, or as Kbuild names it.
fn is_root(tree: &Tree, file: &File) -> bool {
    let folder = file.folder();
    let is_package = |folder: &str| tree.file(&joined(folder, "Cargo.toml")).is_some();
    let (parent, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    match last {
        "src" => ["main.rs", "lib.rs"].contains(&file.name()) && is_package(parent),
        "tests" | "benches" | "examples" if is_package(parent) => true,
        "bin" => parent.strip_suffix("/src").is_some_and(is_package),
        _ => {
            let object = file.name().replace(".rs", ".o");
            let kbuild = tree.file(&joined(folder, "Kbuild"));
            kbuild.is_some_and(|kbuild| names(&kbuild.text, &object))
        }
    }
}

/// The files that may hold the modules that a file declares.
fn modules(file: &File) -> Vec<String> {
    let stem = file.name().trim_end_matches(".rs");
    let base = match stem {
        "mod" | "main" | "lib" => file.folder().to_owned(),
        _ => joined(file.folder(), stem),
    };
    let mut found = Vec::new();
    // The root of a crate may have any name.
    let mut add = |name: &str| {
        for folder in [base.as_str(), file.folder()] {
            found.push(joined(folder, &format!("{name}.rs")));
            found.push(joined(folder, &format!("{name}/mod.rs")));
        }
    };
    let mut paths = Vec::new();
    let mut path_attribute = None;
    for tokens in file.tokens.windows(3) {
        let [first, second, third] = tokens else {
            continue;
        };
        match (&first.kind, &second.kind, &third.kind) {
            (Kind::Word(path), Kind::Mark('='), Kind::Literal(text)) if path == "path" => {
                path_attribute = Some(joined(file.folder(), text.trim_matches('"')));
            }
            (Kind::Word(keyword), Kind::Word(name), Kind::Mark(';')) if keyword == "mod" => {
                match path_attribute.take() {
                    Some(path) => paths.push(path),
                    None => add(name),
                }
            }
            // A macro declares the modules: any word may be one.
            (Kind::Word(keyword), Kind::Mark('$'), Kind::Word(_)) if keyword == "mod" => {
                for token in &file.tokens {
                    if let Kind::Word(word) = &token.kind {
                        add(word);
                    }
                }
            }
            _ => {}
        }
    }
    found.extend(paths);
    found
}

/// A path from a folder, with its `..` resolved.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::{super::run, *};

    #[test]
    fn a_rust_file_that_no_crate_has_is_found() {
        let files = [
            ("a/Cargo.toml", ""),
            (
                "a/src/main.rs",
                "mod b;\n#[path = \"../../x/y.rs\"]\nmod c;\n",
            ),
            ("a/src/b/mod.rs", "mod d;\n"),
            (
                "a/src/b/d.rs",
                "#[cfg(test)]\n#[path = \"d_tests.rs\"]\nmod tests;\n",
            ),
            ("a/src/b/d_tests.rs", ""),
            ("a/src/e.rs", ""),
            ("a/tests/f.rs", ""),
            ("x/y.rs", "mod z;\n"),
            ("x/y/z.rs", ""),
        ];
        assert_eq!(run(RUST, &files), [("a/src/e.rs".into(), 0)]);
    }

    #[test]
    fn modules_that_a_macro_declares_are_alive() {
        let text = "macro_rules! m { ($($a:ident)*) => { $(mod $a;)* } }\nm! { b }\n";
        let files = [
            ("a/Cargo.toml", ""),
            ("a/src/lib.rs", text),
            ("a/src/b.rs", ""),
            ("a/src/c.rs", ""),
        ];
        assert_eq!(run(RUST, &files), [("a/src/c.rs".into(), 0)]);
    }

    #[test]
    fn the_module_s_root_is_the_one_that_kbuild_names() {
        let files = [
            ("m/Kbuild", "t-y := t_main.o sys/shim.o\n"),
            ("m/t_main.rs", "mod a;\n"),
            ("m/a.rs", ""),
            ("m/main.rs", ""),
        ];
        assert_eq!(run(RUST, &files), [("m/main.rs".into(), 0)]);
    }

    #[test]
    fn a_script_or_document_that_nothing_names_is_found() {
        let files = [
            ("Makefile", "all:\n\tscripts/a\n"),
            ("scripts/a", "#!/bin/sh\n"),
            ("scripts/b", "#!/bin/sh\n"),
            ("Documentation/C.md", "# C\n"),
            ("m/d.c", ""),
            ("m/Kbuild", "t-y := d.o\n"),
        ];
        let dead = [("Documentation/C.md".into(), 0), ("scripts/b".into(), 0)];
        assert_eq!(run(OTHER, &files), dead);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let text = "[a](B.md#c) [d](../e/) [f](https://g/h) [i](#j)\n[k](L.md)\n";
        let files = [("d/A.md", text), ("d/B.md", ""), ("e/f", "")];
        assert_eq!(run(LINKS, &files), [("d/A.md".into(), 2)]);
    }
}
