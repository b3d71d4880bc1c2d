// SPDX-License-Identifier: GPL-2.0

//! The story of a run: what happened, when, where and why.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// Where something happens that is neither node's: on the link, or in the whole run.
pub const OUTSIDE: usize = 2;

/// Names of the places, by number.
pub const NAMES: [&str; 3] = ["a", "b", "*"];

/// Longest part of a cause that is repeated in the line of its consequence, in characters.
const CAUSE_WIDTH: usize = 44;

/// Width of what happened, in characters; longer ones push the cause aside.
const TEXT_WIDTH: usize = 64;

/// Why something happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// The world is so.
    #[default]
    Nothing,
    /// An action of the run, by number.
    Action(u32),
    /// What an earlier line tells, by its place in the story.
    Line(usize),
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in ms.
    pub at: u64,
    /// Where: a node, or [`OUTSIDE`].
    pub place: usize,
    /// What.
    pub text: String,
    /// Why.
    pub cause: Cause,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6} {}  {}", self.at, NAMES[self.place], self.text)
    }
}

/// The whole story as text with colours, one line each: its number, time, node, what, and why.
///
/// What follows at once from the line above is indented below it instead.
pub fn render(story: &[Line]) -> String {
    let mut text = String::new();
    for (number, line) in story.iter().enumerate() {
        let above = line.cause == Cause::Line(number.wrapping_sub(1))
            && story[number - 1].at == line.at
            && story[number - 1].place == line.place;
        let depth = if above { 2 } else { 0 };
        text.push_str(&one(story, number, line, depth));
    }
    text
}

fn one(story: &[Line], number: usize, line: &Line, depth: usize) -> String {
    let style = style_of(line);
    let dim = Style::new().dimmed();
    let what = format!("{:depth$}{}", "", line.text);
    let mut why = why(story, line.cause);
    if depth != 0 {
        why.clear();
    }
    let width = if why.is_empty() { 0 } else { TEXT_WIDTH };
    format!(
        "{dim}{number:5}{dim:#} {:6} {style}{}  {what:width$}{style:#}{dim}{why}{dim:#}\n",
        line.at, NAMES[line.place],
    )
}

fn style_of(line: &Line) -> Style {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match line.place {
        _ if line.text.starts_with("FAILURE") => colour(AnsiColor::Red).bold(),
        0 => colour(AnsiColor::Cyan),
        1 => colour(AnsiColor::Yellow),
        _ => Style::new().bold(),
    }
}

fn why(story: &[Line], cause: Cause) -> String {
    match cause {
        Cause::Nothing => String::new(),
        Cause::Action(number) => format!("  <- action {number}"),
        Cause::Line(number) => match story.get(number) {
            Some(line) => {
                let text: String = line.text.trim().chars().take(CAUSE_WIDTH).collect();
                format!("  <- {number} {} {text}", NAMES[line.place])
            }
            None => String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: u64, place: usize, text: &str, cause: Cause) -> Line {
        let text = text.to_owned();
        Line {
            at,
            place,
            text,
            cause,
        }
    }

    #[test]
    fn a_line_tells_its_cause_unless_that_is_right_above() {
        let story = [
            line(1, 0, "writes", Cause::Action(3)),
            line(1, 0, "sends", Cause::Line(0)),
            line(4, 1, "receives", Cause::Line(1)),
        ];
        let text = anstream::adapter::strip_str(&render(&story)).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("<- action 3"), "{text}");
        assert!(lines[1].ends_with("a    sends"), "{text}");
        assert!(lines[2].ends_with("<- 1 a sends"), "{text}");
    }
}
