// SPDX-License-Identifier: GPL-2.0

//! Command line options that come from the engine's option tables.

use clap::{
    Arg,
    ArgAction,
    ArgMatches,
    Args,
    Command,
    FromArgMatches, //
};
use std::marker::PhantomData;
use tandem_engine::options::{
    OptionError,
    OptionKind,
    OptionSpec,
    OptionTable,
    OptionValue, //
};
use tandem_netlink::AttrBuffer;

/// Options of table `T` that were given. With `ALL` also those that cannot change later.
#[derive(Debug)]
pub(crate) struct OptionArgs<T, const ALL: bool> {
    given: Vec<(&'static OptionSpec, OptionValue)>,
    table: PhantomData<T>,
}

impl<T, const ALL: bool> OptionArgs<T, ALL> {
    /// The attributes for what was given, in the order of the command line.
    pub(crate) fn attrs(&self) -> AttrBuffer {
        let mut attrs = AttrBuffer::default();
        for (spec, value) in &self.given {
            match spec.put(value, &mut attrs) {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
        attrs
    }
}

impl<T: OptionTable, const ALL: bool> OptionArgs<T, ALL> {
    fn specs() -> impl Iterator<Item = &'static OptionSpec> {
        T::TABLE.iter().filter(|spec| ALL || !spec.invariant)
    }
}

impl<T: OptionTable, const ALL: bool> Args for OptionArgs<T, ALL> {
    fn augment_args(command: Command) -> Command {
        // Made when this command is the one that was given: most tables are not needed in a run.
        command.defer(|command| command.next_line_help(true).args(Self::specs().map(arg)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: OptionTable, const ALL: bool> FromArgMatches for OptionArgs<T, ALL> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given: Vec<_> = Self::specs()
            .filter_map(|spec| {
                let value = matches.get_one::<OptionValue>(spec.name)?;
                Some((matches.index_of(spec.name), spec, *value))
            })
            .collect();
        given.sort_by_key(|(place, _, _)| *place);
        Ok(Self {
            given: given
                .into_iter()
                .map(|(_, spec, value)| (spec, value))
                .collect(),
            table: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What describes an option or an argument of that name, if it is one of the engine's tables.
pub(crate) fn spec(name: &str) -> Option<&'static OptionSpec> {
    OptionSpec::named(name).or_else(|| OptionSpec::argument(name))
}

/// Reads a number that has a line in the engine's tables; no line, no number.
pub(crate) fn number<T>(name: &'static str) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: TryFrom<i64>,
{
    move |text| {
        let spec = spec(name).ok_or("takes no number")?;
        match parse(spec, text)? {
            OptionValue::Number(number) => {
                T::try_from(number).map_err(|_| OptionError::OutOfRange(name).as_str().to_owned())
            }
            _ => Err("takes no number".to_owned()),
        }
    }
}

/// One command line option.
fn arg(spec: &'static OptionSpec) -> Arg {
    let arg = Arg::new(spec.name)
        .long(spec.name)
        .action(ArgAction::Set)
        .overrides_with(spec.name)
        .allow_hyphen_values(true)
        .value_parser(move |text: &str| parse(spec, text))
        .help(help(spec));
    let arg = match spec.name {
        "tentative" => arg.alias("dry-run"),
        _ => arg,
    };
    match spec.kind {
        OptionKind::Boolean { .. } => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("yes")
            .value_name("yes|no"),
        OptionKind::Number { min, max, .. } => arg.value_name(format!("{min}..{max}")),
        OptionKind::Choice { words, .. } => {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            arg.value_name(words.join("|"))
        }
        OptionKind::Text { .. } => arg.value_name("TEXT"),
    }
}

fn parse(spec: &OptionSpec, text: &str) -> Result<OptionValue, String> {
    spec.parse(text)
        .map_err(|error| format!("{}; it can be {}", error.as_str(), spec.kind))
}

fn help(spec: &OptionSpec) -> String {
    // A doc comment names fields, between backticks; a manual names options.
    let parts = spec.about.trim().split('`').enumerate();
    let about: String = parts
        .map(|(at, part)| match at % 2 {
            0 => part.to_owned(),
            _ => part.replace('_', "-"),
        })
        .collect();
    format!("{about} [default: {}]", default_of(spec))
}

fn default_of(spec: &OptionSpec) -> String {
    match spec.kind {
        OptionKind::Number { default, unit, .. } => format!("{default}{}", unit.after_number()),
        OptionKind::Boolean { default } => (if default { "yes" } else { "no" }).to_owned(),
        OptionKind::Choice { default, .. } => spec.word(default).unwrap_or("?").to_owned(),
        OptionKind::Text { .. } => "empty".to_owned(),
    }
}
