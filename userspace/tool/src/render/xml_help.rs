// SPDX-License-Identifier: GPL-2.0

//! The form of `xml-help`, with a tab for each level:
//!
//! ```text
//! <command name="resize">
//!     <argument>minor</argument>
//!     <option name="size" type="numeric">
//!         <min>0</min>
//!         ...
//! ```
//!
//! Arguments of which one is given stand in a `<group>`. Everything comes from the definition of
//! the command line, and types, ranges, defaults and units from the engine's tables.

use crate::cli::options::spec;
use clap::{
    Arg,
    Command, //
};
use std::fmt::Write as _;
use tandem_engine::options::OptionKind;

/// Values of an option that is `yes` or `no`.
const BOOLEAN: &str = "yes|no";

/// A command, under the name by which it was asked for.
pub(crate) fn text(command: &Command, name: &str) -> String {
    let mut out = format!("<command name=\"{name}\">\n");
    for arg in command.get_positionals() {
        let names = value_name(arg).to_lowercase();
        match names.contains('|') {
            false => argument(&mut out, "\t", &names),
            true => {
                out.push_str("\t<group>\n");
                for name in names.split('|') {
                    argument(&mut out, "\t\t", name);
                }
                out.push_str("\t</group>\n");
            }
        }
    }
    for arg in command.get_arguments() {
        // Every command has `--help`.
        match arg.get_long() {
            None | Some("help") => {}
            Some(long) => option(&mut out, arg, long),
        }
    }
    out.push_str("</command>\n");
    out
}

/// What stands for its value; for the values of one argument, divided by `|`.
fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.first().map(ToString::to_string).unwrap_or_default()
}

fn argument(out: &mut String, indent: &str, name: &str) {
    line(out, &format!("{indent}<argument>{name}</argument>"));
}

fn option(out: &mut String, arg: &Arg, name: &str) {
    let takes_value = arg.get_action().takes_values();
    let (kind, lines) = match spec(name).map(|spec| spec.kind) {
        Some(kind) => of_table(kind),
        None if value_name(arg) == BOOLEAN => of_table(OptionKind::Boolean { default: false }),
        None if takes_value => ("string", Vec::new()),
        None => ("flag", Vec::new()),
    };
    line(out, &format!("\t<option name=\"{name}\" type=\"{kind}\">"));
    for (tag, value) in lines {
        line(out, &format!("\t\t<{tag}>{value}</{tag}>"));
    }
    line(out, "\t</option>");
}

/// The type of an option, and what is said of it.
fn of_table(kind: OptionKind) -> (&'static str, Vec<(&'static str, String)>) {
    match kind {
        OptionKind::Number {
            default,
            min,
            max,
            unit,
            ..
        } => {
            let mut lines = vec![
                ("min", min.to_string()),
                ("max", max.to_string()),
                ("default", default.to_string()),
                ("unit_prefix", unit.prefix().to_string()),
            ];
            if !unit.as_str().is_empty() {
                lines.push(("unit", unit.as_str().to_owned()));
            }
            ("numeric", lines)
        }
        OptionKind::Boolean { default } => {
            let word = if default { "yes" } else { "no" };
            ("boolean", vec![("default", word.to_owned())])
        }
        OptionKind::Choice { words, .. } => {
            let words = words
                .iter()
                .map(|(word, _)| ("handler", (*word).to_owned()));
            ("handler", words.collect())
        }
        OptionKind::Text { .. } => ("string", Vec::new()),
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::cli::definition;

    fn of(name: &str) -> String {
        let mut tandem = definition();
        tandem.build();
        let setup = tandem.find_subcommand("setup").unwrap();
        text(setup.find_subcommand(name).unwrap(), name)
    }

    fn element(name: &str, kind: &str, lines: &[&str]) -> String {
        let lines: String = lines.iter().map(|line| format!("\t\t{line}\n")).collect();
        format!("\t<option name=\"{name}\" type=\"{kind}\">\n{lines}\t</option>\n")
    }

    #[test]
    fn options_have_what_the_tables_say_of_them() {
        let attach = of("attach");
        let range = [
            "<min>1</min>",
            "<max>4194304</max>",
            "<default>250</default>",
        ];
        let unit = ["<unit_prefix>k</unit_prefix>", "<unit>bytes/second</unit>"];
        let fencing = ["dont-care", "resource-only", "resource-and-stonith"];
        let fencing = fencing.map(|word| format!("<handler>{word}</handler>"));
        for element in [
            element("resync-rate", "numeric", &[&range[..], &unit[..]].concat()),
            element("al-updates", "boolean", &["<default>yes</default>"]),
            element(
                "fencing",
                "handler",
                &fencing.each_ref().map(String::as_str),
            ),
        ] {
            assert!(attach.contains(&element), "{element} is not in {attach}");
        }
        assert!(of("connect").contains(&element("csums-alg", "string", &[])));
        assert!(of("resource-options").contains(&element("set-defaults", "flag", &[])));
    }

    #[test]
    fn arguments_come_first_and_one_of_several_is_a_group() {
        assert_eq!(
            of("new-minor"),
            "<command name=\"new-minor\">\n\t<argument>resource</argument>\n\
             \t<argument>minor</argument>\n\t<argument>volume</argument>\n</command>\n"
        );
        assert_eq!(
            of("sh-status"),
            "<command name=\"sh-status\">\n\t<group>\n\t\t<argument>resource</argument>\n\
             \t\t<argument>minor</argument>\n\t\t<argument>all</argument>\n\t</group>\n\
             </command>\n"
        );
    }
}
