// SPDX-License-Identifier: GPL-2.0

//! What files say: the statements outside of all sections.

use crate::{
    cursor::Cursor,
    error::{
        Place,
        Problem, //
    },
    host::keyword_expected,
    include::Source,
    model::{
        Config,
        Global,
        UsageCount, //
    },
    resource::ResourceReader,
    tree::{
        statements,
        Statement, //
    },
    unique::Unique, //
};
use std::{
    path::{
        Path,
        PathBuf, //
    },
    rc::Rc, //
};

/// Files in files, at most.
const INCLUDE_MAX: usize = 10;

/// Longest command timeout, in seconds.
const TIMEOUT_MAX: u32 = 900;

/// Reads files, one after the other.
pub(crate) struct Reader<'a> {
    source: &'a mut dyn Source,
    config: Config,
    unique: Unique,
    problems: Vec<Problem>,
    /// Files that were read.
    seen: Vec<PathBuf>,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a mut dyn Source, main: &Path) -> Self {
        let seen = vec![source.identity(main)];
        Self {
            source,
            config: Config {
                file: main.to_owned(),
                global: Global::default(),
                common: None,
                resources: Vec::new(),
            },
            unique: Unique::default(),
            problems: Vec::new(),
            seen,
            depth: 0,
        }
    }

    /// Reads the text of one file.
    pub(crate) fn file(&mut self, name: &str, text: &str) {
        let file = Rc::from(name);
        let begin = self.problems.len();
        match statements(&file, text) {
            Ok(found) => {
                for statement in &found {
                    let done = self.statement(statement);
                    self.problems.extend(done.err());
                }
            }
            Err(problem) => self.problems.push(problem),
        }
        let lines: Vec<_> = text.lines().collect();
        for problem in self.problems.iter_mut().skip(begin) {
            if problem.place.file == file && problem.line.is_none() {
                let line = problem.place.line.checked_sub(1);
                problem.line = line
                    .and_then(|at| lines.get(at))
                    .map(|line| Rc::from(*line));
            }
        }
    }

    /// What was read, or what is wrong with it.
    pub(crate) fn finish(self) -> Result<Config, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(self.config);
        }
        Err(self.problems)
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), Problem> {
        let Some(word) = statement.words.first() else {
            return Ok(());
        };
        let mut cursor = Cursor::after_keyword(statement);
        match word.text.as_str() {
            "global" => {
                self.unique.take("section", "global", &word.place)?;
                for each in cursor.body()? {
                    let done = global(&mut self.config.global, each);
                    self.problems.extend(done.err());
                }
            }
            "common" => {
                self.unique.take("section", "common", &word.place)?;
                let body = cursor.body()?;
                let mut reader = ResourceReader::new(&mut self.unique, &mut self.problems);
                self.config.common = Some(reader.common(body));
            }
            "resource" => {
                let name = cursor.text("the name of a resource")?;
                check_name(&name.text, &name.place)?;
                let body = cursor.body()?;
                self.unique.take("resource", &name.text, &name.place)?;
                let mut reader = ResourceReader::new(&mut self.unique, &mut self.problems);
                let resource = reader.resource(&name.text, &word.place, body);
                self.config.resources.push(resource);
            }
            "include" => {
                let pattern = cursor.text("the path of a file, or a pattern")?;
                cursor.end()?;
                self.include(&pattern.text, &pattern.place)?;
            }
            _ => {
                return Err(keyword_expected(
                    statement,
                    "'global', 'common', 'resource', 'skip' or 'include'",
                ))
            }
        }
        Ok(())
    }

    /// Relative paths begin where the first file is, whatever includes them.
    fn include(&mut self, pattern: &str, place: &Place) -> Result<(), Problem> {
        let base = self.config.file.parent().unwrap_or(Path::new(""));
        let found = self.source.matching(&base.join(pattern));
        if found.is_empty() && !pattern.contains(['*', '?', '[']) {
            return Err(Problem::new(
                place,
                format!("there is no file '{pattern}'; expected one, or a pattern such as *.res"),
            ));
        }
        for path in found {
            let identity = self.source.identity(&path);
            if self.seen.contains(&identity) {
                continue;
            }
            self.seen.push(identity);
            if self.depth >= INCLUDE_MAX {
                return Err(Problem::new(
                    place,
                    "too many files that include each other",
                ));
            }
            let text = self.source.read(&path).map_err(|error| {
                Problem::new(place, format!("cannot read {}: {error}", path.display()))
            })?;
            self.depth += 1;
            self.file(&path.to_string_lossy(), &text);
            self.depth -= 1;
        }
        Ok(())
    }
}

/// A name may become part of a path, and must not be taken for something else.
fn check_name(name: &str, place: &Place) -> Result<(), Problem> {
    let is_bad = name.is_empty()
        || name == "all"
        || name.starts_with(['-', '.'])
        || name.len() > 127
        || !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | ':' | '@'));
    if is_bad {
        return Err(Problem::new(
            place,
            format!(
                "'{name}' cannot be the name of a resource; expected letters, digits, '_', '-', \
                 '.', not 'all'"
            ),
        ));
    }
    Ok(())
}

fn global(global: &mut Global, statement: &Statement) -> Result<(), Problem> {
    let Some(word) = statement.words.first() else {
        return Ok(());
    };
    let mut cursor = Cursor::after_keyword(statement);
    match word.text.as_str() {
        "usage-count" => {
            let found = [UsageCount::Yes, UsageCount::No, UsageCount::Ask]
                .into_iter()
                .find(|each| cursor.take_word(each.as_str()));
            global.usage_count =
                Some(found.ok_or_else(|| cursor.expected("'yes', 'no' or 'ask'"))?);
        }
        "minor-count" => global.minor_count = Some(cursor.number("a number", 1, 255)?),
        "dialog-refresh" => global.dialog_refresh = Some(cursor.number("seconds", 0, 600)?),
        "disable-ip-verification" => global.disable_ip_verification = true,
        "udev-always-use-vnr" => global.udev_always_use_vnr = true,
        "cmd-timeout-short" => {
            global.timeouts[0] = Some(cursor.number("seconds", 0, TIMEOUT_MAX)?);
        }
        "cmd-timeout-medium" => {
            global.timeouts[1] = Some(cursor.number("seconds", 0, TIMEOUT_MAX)?);
        }
        "cmd-timeout-long" => {
            global.timeouts[2] = Some(cursor.number("seconds", 0, TIMEOUT_MAX)?);
        }
        _ => {
            return Err(keyword_expected(
                statement,
                "'usage-count', 'minor-count', 'dialog-refresh', 'disable-ip-verification', \
                 'udev-always-use-vnr' or 'cmd-timeout-...'",
            ))
        }
    }
    cursor.end()
}
