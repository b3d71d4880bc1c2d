// SPDX-License-Identifier: GPL-2.0

//! Sections that hold options: `options`, `net`, `disk`, `syncer`, `startup`, `handlers`.
//!
//! Names and ranges come from the engine's tables. Old spellings are translated, as `drbdadm`
//! does: `rate` and `after`, `no-...` flags, flags without a value.

use crate::{
    cursor::Cursor,
    error::Problem,
    lexer::Token,
    model::{
        Setting,
        Settings, //
    },
    tree::Statement, //
};
use tandem_engine::options::{
    DiskOptions,
    NetOptions,
    OptionKind,
    OptionSpec,
    OptionTable,
    ResourceOptions, //
};

/// Every handler that the kernel calls.
pub const HANDLERS: &[&str] = &[
    "before-resync-target",
    "after-resync-target",
    "before-resync-source",
    "pri-on-incon-degr",
    "pri-lost-after-sb",
    "fence-peer",
    "unfence-peer",
    "local-io-error",
    "pri-lost",
    "initial-split-brain",
    "split-brain",
    "out-of-sync",
];

/// Old names, with the section where they stood, and today's names.
const OLD_NAMES: &[(&str, &str)] = &[
    ("rate", "resync-rate"),
    ("after", "resync-after"),
    ("outdate-peer", "fence-peer"),
];

/// Options that meant something once. They are read and dropped, as `drbdadm` does.
const DROPPED: &[&str] = &[
    "delay-probe-volume",
    "delay-probe-interval",
    "throttle-threshold",
    "hold-off-threshold",
];

/// Options of one attempt to connect; they are given to commands only.
const ONCE: &[&str] = &["tentative", "discard-my-data"];

/// Longest timeout of the section `startup`, in seconds.
const STARTUP_MAX: u32 = 300_000;

/// Options of the old section `syncer`; the list is `drbdadm`'s.
const SYNCER: &[&str] = &[
    "resync-rate",
    "resync-after",
    "verify-alg",
    "csums-alg",
    "al-extents",
    "cpu-mask",
    "use-rle",
    "c-plan-ahead",
    "c-delay-target",
    "c-fill-target",
    "c-max-rate",
    "c-min-rate",
    "on-no-data-accessible",
];

/// Tables and the sections that their options stand in.
pub(crate) const TABLES: [(&str, &[OptionSpec]); 3] = [
    ("options", ResourceOptions::TABLE),
    ("net", NetOptions::TABLE),
    ("disk", DiskOptions::TABLE),
];

fn keyword(statement: &Statement) -> Result<&Token, Problem> {
    // A statement has at least one word.
    statement
        .words
        .first()
        .ok_or_else(|| Problem::new(&statement.end, "expected an option"))
}

fn spec_in(table: &[OptionSpec], name: &str) -> Option<OptionSpec> {
    table.iter().find(|spec| spec.name == name).copied()
}

/// Reads one statement of the section `section`, whose options are in `table`.
pub(crate) fn option(
    section: &str,
    table: &[OptionSpec],
    statement: &Statement,
) -> Result<Option<Setting>, Problem> {
    let word = keyword(statement)?;
    let mut cursor = Cursor::after_keyword(statement);
    if DROPPED.contains(&word.text.as_str()) {
        cursor.text("a value")?;
        cursor.end()?;
        return Ok(None);
    }
    if let Some(positive) = word.text.strip_prefix("no-") {
        let flag =
            spec_in(table, positive).filter(|spec| matches!(spec.kind, OptionKind::Boolean { .. }));
        if let Some(spec) = flag {
            cursor.end()?;
            return Ok(Some(setting(spec.name, "no", word)));
        }
    }
    let spec = spec_in(table, &word.text)
        .filter(|spec| !ONCE.contains(&spec.name))
        .ok_or_else(|| unknown(section, word))?;
    value(&spec, word, &mut cursor).map(Some)
}

/// Reads the value of an option and checks it.
fn value(spec: &OptionSpec, word: &Token, cursor: &mut Cursor<'_>) -> Result<Setting, Problem> {
    if matches!(spec.kind, OptionKind::Boolean { .. }) && cursor.end().is_ok() {
        return Ok(setting(spec.name, "yes", word));
    }
    let token = cursor.text(&format!("a value for {} ({})", spec.name, spec.kind))?;
    let mut text = token.text.clone();
    if spec.name == "protocol" {
        text.make_ascii_uppercase();
    }
    // A resource, which becomes a minor later; and what becomes discard-local or -remote.
    let is_name = spec.name == "resync-after"
        || spec.name == "after-sb-0pri" && text.starts_with("discard-node-");
    if !is_name {
        spec.parse(&text).map_err(|error| {
            Problem::new(
                &token.place,
                format!(
                    "{} {}: it {}; expected {}",
                    spec.name,
                    token.shown(),
                    error.as_str(),
                    spec.kind
                ),
            )
        })?;
    }
    cursor.end()?;
    Ok(setting(spec.name, &text, word))
}

fn setting(name: &str, value: &str, word: &Token) -> Setting {
    Setting {
        name: name.to_owned(),
        value: value.to_owned(),
        place: word.place.clone(),
    }
}

/// What to say of an option that does not belong into a section.
fn unknown(section: &str, word: &Token) -> Problem {
    let name = word.text.as_str();
    let home = TABLES
        .iter()
        .find(|(home, table)| *home != section && spec_in(table, name).is_some());
    let what = match home {
        _ if ONCE.contains(&name) => format!(
            "'{name}' is for one attempt to connect; expected an option of '{section}' (give it to \
             the command: drbdadm connect --{name} RESOURCE)"
        ),
        Some((home, _)) => {
            format!("'{name}' belongs into the section '{home}'; expected an option of '{section}'")
        }
        None => format!("expected an option of '{section}', got {}", word.shown()),
    };
    Problem::new(&word.place, what)
}

/// Reads one statement of the old section `syncer` into the section where it belongs today.
pub(crate) fn syncer(settings: &mut Settings, statement: &Statement) -> Result<(), Problem> {
    let mut renamed = statement.clone();
    if let Some(word) = renamed.words.first_mut() {
        rename(word);
        let name = word.text.strip_prefix("no-").unwrap_or(&word.text);
        if !SYNCER.contains(&name) && !DROPPED.contains(&name) {
            return Err(Problem::new(
                &word.place,
                format!("expected an option of 'syncer', got {}", word.shown()),
            ));
        }
        for (section, table) in TABLES {
            if spec_in(table, name).is_none() && !DROPPED.contains(&name) {
                continue;
            }
            let found = option(section, table, &renamed)?;
            let list = match section {
                "options" => &mut settings.options,
                "net" => &mut settings.net,
                _ => &mut settings.disk,
            };
            list.extend(found);
            return Ok(());
        }
    }
    Ok(())
}

/// Gives an option its name of today.
pub(crate) fn rename(word: &mut Token) {
    if let Some((_, today)) = OLD_NAMES.iter().find(|(old, _)| *old == word.text) {
        word.text = (*today).to_owned();
    }
}

/// Reads one statement of the section `startup`.
pub(crate) fn startup(settings: &mut Settings, statement: &Statement) -> Result<(), Problem> {
    let word = keyword(statement)?;
    let mut cursor = Cursor::after_keyword(statement);
    match word.text.as_str() {
        "wfc-timeout" | "degr-wfc-timeout" | "outdated-wfc-timeout" => {
            let seconds = cursor.number("seconds", 0, STARTUP_MAX)?;
            let found = setting(&word.text, &seconds.to_string(), word);
            settings.startup.push(found);
        }
        "wait-after-sb" => {
            let on = !cursor.take_word("no");
            if on && !cursor.is_at_end() && !cursor.take_word("yes") {
                return Err(cursor.expected("'yes', 'no' or ';'"));
            }
            let found = setting("wait-after-sb", if on { "yes" } else { "no" }, word);
            settings.startup.push(found);
        }
        "stacked-timeouts" => settings.stacked_timeouts = true,
        "become-primary-on" => loop {
            let host = cursor.text("the name of a host, or 'both'")?;
            settings.become_primary_on.push(host.text.clone());
            if cursor.is_at_end() {
                break;
            }
        },
        _ => {
            return Err(Problem::new(
                &word.place,
                format!(
                    "expected 'wfc-timeout', 'degr-wfc-timeout', 'outdated-wfc-timeout', \
                     'wait-after-sb', 'become-primary-on' or 'stacked-timeouts', got {}",
                    word.shown()
                ),
            ))
        }
    }
    cursor.end()
}

/// Reads one statement of the section `handlers`.
pub(crate) fn handler(statement: &Statement) -> Result<Setting, Problem> {
    let mut word = keyword(statement)?.clone();
    if word.text == "outdate-peer" {
        rename(&mut word);
    }
    if !HANDLERS.contains(&word.text.as_str()) {
        return Err(Problem::new(
            &word.place,
            format!(
                "expected the name of a handler ({}), got {}",
                HANDLERS.join(", "),
                word.shown()
            ),
        ));
    }
    let mut cursor = Cursor::after_keyword(statement);
    let command = cursor.text("a command in quotes")?;
    cursor.end()?;
    Ok(setting(&word.text, &command.text, &word))
}
