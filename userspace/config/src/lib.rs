// SPDX-License-Identifier: GPL-2.0

//! `/etc/drbd.conf`, in the grammar of DRBD 8.4's `drbdadm`.
//!
//! Three steps, each of which knows nothing of the next: `lexer` makes tokens of text, `tree` makes
//! statements of tokens (`words ;` or `words { statements }`), and `check` reads what statements
//! mean, against the engine's option tables. The result is a [`Config`]: what is written. What a
//! node is to do with it (defaults from `common`, which host section is this node's) is in
//! `expand` and `node`.
//!
//! Every error has file, line and column, and says what was expected.
#![forbid(unsafe_code)]

mod check;
mod cursor;
mod dump;
mod error;
mod expand;
mod host;
mod include;
mod lexer;
mod model;
mod node;
mod resource;
mod section;
mod tree;
mod unique;
mod xml;

pub use dump::{
    quoted,
    Dump, //
};
pub use error::{
    Place,
    Problem, //
};
pub use expand::resolve;
pub use include::{
    Files,
    Source, //
};
pub use model::{
    Address,
    Config,
    Global,
    Host,
    Meta,
    Resource,
    Setting,
    Settings,
    UsageCount,
    Volume, //
};
pub use node::{
    Node,
    PeerError, //
};
pub use section::HANDLERS;
pub use xml::Xml;

use std::path::Path;

/// Reads a configuration file and all that it includes; then `also`, as if the first included it.
///
/// # Errors
/// All that is wrong, in the order of the files; never empty.
pub fn read(
    path: &Path,
    also: Option<&Path>,
    source: &mut dyn Source,
) -> Result<Config, Vec<Problem>> {
    let mut texts = Vec::new();
    for path in std::iter::once(path).chain(also) {
        let text = source
            .read(path)
            .map_err(|error| vec![Problem::of_file(path, format!("cannot read it: {error}"))])?;
        texts.push((path.to_string_lossy().into_owned(), text));
    }
    let mut reader = check::Reader::new(source, path);
    for (name, text) in &texts {
        reader.file(name, text);
    }
    reader.finish()
}

/// Reads a configuration from text; `file` is its name in messages.
///
/// # Errors
/// All that is wrong, in the order of the files; never empty.
pub fn parse(file: &str, text: &str, source: &mut dyn Source) -> Result<Config, Vec<Problem>> {
    let mut reader = check::Reader::new(source, Path::new(file));
    reader.file(file, text);
    reader.finish()
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
