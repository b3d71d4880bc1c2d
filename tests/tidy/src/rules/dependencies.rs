// SPDX-License-Identifier: GPL-2.0

//! Rules about what crates depend on.

use toml::Table;

use super::Rule;
use crate::{finding::Finding, tree::Tree};

/// Where a dependency is argued for.
const REASONS: &str = "Documentation/ARCHITECTURE.md";

/// The part of that document.
const HEADING: &str = "## Libraries, and why these";

/// The engine needs nothing but `core`; its tests may.
pub(super) const ENGINE: Rule = Rule {
    name: "engine-dependencies",
    check: |tree| {
        let path = "userspace/engine/Cargo.toml";
        let all = dependencies(tree).into_iter();
        all.filter(|it| it.path == path && it.table != "dev-dependencies")
            .map(|it| {
                let text = format!("the engine depends on {}", it.name);
                Finding::new("engine-dependencies", path, 0, text)
            })
            .collect()
    },
};

/// A new dependency is a decision: it stands with its reason in the table of ARCHITECTURE.md.
pub(super) const REASON: Rule = Rule {
    name: "dependency-reason",
    check: |tree| {
        let reasons = tree.file(REASONS).map_or("", |file| &file.text);
        let table = reasons.split(HEADING).nth(1).unwrap_or("");
        let table = table.split("\n## ").next().unwrap_or("");
        let mut found = Vec::new();
        for Dependency { path, name, .. } in dependencies(tree) {
            if !table.contains(&format!("`{name}`")) {
                let text = format!("{name} is not among the libraries of {REASONS}");
                found.push(Finding::new("dependency-reason", &path, 0, text));
            }
        }
        found
    },
};

/// A crate that another one wants from outside of the repository.
struct Dependency {
    path: String,
    table: &'static str,
    name: String,
}

/// All of them. Those that a workspace shares are told by their users, too.
fn dependencies(tree: &Tree) -> Vec<Dependency> {
    const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut found = Vec::new();
    for file in tree.files().filter(|file| file.name() == "Cargo.toml") {
        // What Cargo could not read would not be built.
        let manifest: Table = file.text.parse().unwrap_or_default();
        for table in TABLES {
            let Some(entries) = manifest.get(table).and_then(|it| it.as_table()) else {
                continue;
            };
            for (name, value) in entries {
                if value.get("path").is_none() {
                    found.push(Dependency {
                        path: file.path.clone(),
                        table,
                        name: name.clone(),
                    });
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{super::run, *};

    #[test]
    fn the_engine_may_depend_on_crates_in_tests_alone() {
        let path = "userspace/engine/Cargo.toml";
        let text = "[dev-dependencies]\nproptest = \"1\"\n";
        assert_eq!(run(ENGINE, &[(path, text)]), []);
        let text = "[dependencies]\nlibc = \"0.2\"\n";
        assert_eq!(run(ENGINE, &[(path, text)]), [(path.into(), 0)]);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let text = "[dependencies]\na = \"1\"\nb = { version = \"1\" }\nc = { path = \"../c\" }\n";
        let reasons = format!("`b`\n{HEADING}\n| x | `a` | y |\n## Else\n");
        let files = [("t/Cargo.toml", text), (REASONS, &reasons)];
        let found = (REASON.check)(&Tree::of(&files).unwrap());
        assert_eq!(found.len(), 1);
        assert!(found[0].text.starts_with("b is not"));
    }
}
