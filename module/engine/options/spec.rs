// SPDX-License-Identifier: GPL-2.0

//! One line of an option table, and values of options whose type is known at run time only.

use core::fmt;

use super::{
    parse_number,
    DiskOptions,
    FixedStr,
    NetOptions,
    OptionTable,
    ResourceOptions,
    Unit,
    OPTION_TEXT_MAX, //
};
use crate::engine::control::{
    AttrError,
    AttrSink,
    AttrType,
    AttrValue, //
};

/// Why a value is not good for an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// Not a number.
    NotANumber(&'static str),
    /// A suffix other than `s`, `K`, `M` and `G`.
    BadSuffix(&'static str),
    /// A number below the minimum or above the maximum.
    OutOfRange(&'static str),
    /// A word that is not in the option's list.
    UnknownWord(&'static str),
    /// Neither `yes` nor `no`.
    NotABoolean(&'static str),
    /// More text than the option holds.
    TooLong(&'static str),
}

impl OptionError {
    /// Name of the option.
    pub fn option(self) -> &'static str {
        match self {
            OptionError::NotANumber(name)
            | OptionError::BadSuffix(name)
            | OptionError::OutOfRange(name)
            | OptionError::UnknownWord(name)
            | OptionError::NotABoolean(name)
            | OptionError::TooLong(name) => name,
        }
    }

    /// What is wrong, in a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            OptionError::NotANumber(_) => "is not a number",
            OptionError::BadSuffix(_) => "has an unknown unit; use s, K, M or G",
            OptionError::OutOfRange(_) => "is out of range",
            OptionError::UnknownWord(_) => "is not one of the words this option takes",
            OptionError::NotABoolean(_) => "is neither yes nor no",
            OptionError::TooLong(_) => "is too long",
        }
    }
}

/// Type, range and default of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// A number; on netlink of the given wire type.
    Number {
        /// `U32`, `S32` or `U64`.
        wire: AttrType,
        /// Default.
        default: i64,
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
        /// What it counts.
        unit: Unit,
    },
    /// `yes` or `no`; one byte on netlink.
    Boolean {
        /// Default.
        default: bool,
    },
    /// One of a list of words; a 32-bit number on netlink.
    Choice {
        /// Number of the default.
        default: u32,
        /// Words with their numbers.
        words: &'static [(&'static str, u32)],
    },
    /// Text; empty by default.
    Text {
        /// Most bytes it can have.
        max: usize,
    },
}

/// The values that it takes, in words: `67 to 65534`, `yes or no`, `A, B, C`.
impl fmt::Display for OptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            OptionKind::Number { min, max, unit, .. } => {
                write!(f, "{min} to {max}{}", unit.after_number())
            }
            OptionKind::Boolean { .. } => f.write_str("yes or no"),
            OptionKind::Choice { words, .. } => {
                let mut comma = "";
                for (word, _) in words {
                    write!(f, "{comma}{word}")?;
                    comma = ", ";
                }
                Ok(())
            }
            OptionKind::Text { max } => write!(f, "text of at most {max} bytes"),
        }
    }
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Name in configuration and on the command line, without the dashes.
    pub name: &'static str,
    /// Number of its attribute inside its block.
    pub nr: u16,
    /// Type, range and default.
    pub kind: OptionKind,
    /// Can be given when the disk is attached or the connection made, and not changed later.
    pub invariant: bool,
    /// Never shown without `CAP_SYS_ADMIN`.
    pub secret: bool,
    /// What it is for, in sentences; may begin with a space.
    pub about: &'static str,
}

/// A value of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// Of a [`OptionKind::Number`].
    Number(i64),
    /// Of a [`OptionKind::Boolean`].
    Boolean(bool),
    /// Of a [`OptionKind::Choice`]: its number.
    Choice(u32),
    /// Of a [`OptionKind::Text`].
    Text(FixedStr<OPTION_TEXT_MAX>),
}

impl OptionSpec {
    const fn new(name: &'static str, nr: u16, kind: OptionKind) -> Self {
        Self {
            name,
            nr,
            kind,
            invariant: false,
            secret: false,
            about: "",
        }
    }

    /// A number of wire type `wire` with default, minimum and maximum.
    pub const fn number(
        name: &'static str,
        nr: u16,
        wire: AttrType,
        (default, min, max): (i64, i64, i64),
        unit: Unit,
    ) -> Self {
        Self::new(
            name,
            nr,
            OptionKind::Number {
                wire,
                default,
                min,
                max,
                unit,
            },
        )
    }

    /// `yes` or `no`.
    pub const fn boolean(name: &'static str, nr: u16, default: bool) -> Self {
        Self::new(name, nr, OptionKind::Boolean { default })
    }

    /// One of `words`, by default the one with number `default`.
    pub const fn choice(
        name: &'static str,
        nr: u16,
        default: u32,
        words: &'static [(&'static str, u32)],
    ) -> Self {
        Self::new(name, nr, OptionKind::Choice { default, words })
    }

    /// Text of at most `max` bytes.
    pub const fn text(name: &'static str, nr: u16, max: usize) -> Self {
        Self::new(name, nr, OptionKind::Text { max })
    }

    /// The same option, but not changeable later.
    pub const fn invariant(mut self) -> Self {
        self.invariant = true;
        self
    }

    /// The same option, but hidden from ordinary users.
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same option, with what it is for.
    pub const fn described(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// The option of that name, whatever it is an option of.
    pub fn named(name: &str) -> Option<&'static Self> {
        let tables = [
            DiskOptions::TABLE,
            NetOptions::TABLE,
            ResourceOptions::TABLE,
        ];
        tables.into_iter().flatten().find(|spec| spec.name == name)
    }

    /// Number of the default word; 0 for other kinds.
    pub const fn default_number(&self) -> u32 {
        match self.kind {
            OptionKind::Choice { default, .. } => default,
            _ => 0,
        }
    }

    /// The default.
    pub fn default_value(&self) -> OptionValue {
        match self.kind {
            OptionKind::Number { default, .. } => OptionValue::Number(default),
            OptionKind::Boolean { default } => OptionValue::Boolean(default),
            OptionKind::Choice { default, .. } => OptionValue::Choice(default),
            OptionKind::Text { .. } => OptionValue::Text(FixedStr::EMPTY),
        }
    }

    /// Checks a number against the range.
    ///
    /// # Errors
    /// [`OptionError::OutOfRange`].
    pub fn check_number(&self, value: i64) -> Result<(), OptionError> {
        match self.kind {
            OptionKind::Number { min, max, .. } if value < min || value > max => {
                Err(OptionError::OutOfRange(self.name))
            }
            _ => Ok(()),
        }
    }

    /// Reads a value as it is written in configuration and on the command line.
    ///
    /// # Errors
    /// What is wrong with `text`.
    pub fn parse(&self, text: &str) -> Result<OptionValue, OptionError> {
        match self.kind {
            OptionKind::Number { unit, .. } => {
                let value = parse_number(self.name, text, unit)?;
                self.check_number(value)?;
                Ok(OptionValue::Number(value))
            }
            OptionKind::Boolean { .. } => match text {
                "yes" => Ok(OptionValue::Boolean(true)),
                "no" => Ok(OptionValue::Boolean(false)),
                _ => Err(OptionError::NotABoolean(self.name)),
            },
            OptionKind::Choice { words, .. } => words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, number)| OptionValue::Choice(*number))
                .ok_or(OptionError::UnknownWord(self.name)),
            OptionKind::Text { max } if text.len() > max => Err(OptionError::TooLong(self.name)),
            OptionKind::Text { .. } => FixedStr::new(text.as_bytes())
                .map(OptionValue::Text)
                .ok_or(OptionError::TooLong(self.name)),
        }
    }

    /// Reads a value from the payload of its attribute. The range is not checked: a newer kernel
    /// may have a wider one.
    ///
    /// # Errors
    /// [`AttrError::BadLength`].
    pub fn decode(&self, payload: &[u8]) -> Result<OptionValue, AttrError> {
        let value = match self.kind {
            OptionKind::Number { wire, .. } => match wire {
                AttrType::U64 => u64::decode(payload)
                    .map(|value| OptionValue::Number(i64::try_from(value).unwrap_or(i64::MAX))),
                AttrType::S32 => i32::decode(payload).map(|v| OptionValue::Number(i64::from(v))),
                _ => u32::decode(payload).map(|v| OptionValue::Number(i64::from(v))),
            },
            OptionKind::Boolean { .. } => bool::decode(payload).map(OptionValue::Boolean),
            OptionKind::Choice { .. } => u32::decode(payload).map(OptionValue::Choice),
            OptionKind::Text { .. } => FixedStr::decode(payload).map(OptionValue::Text),
        };
        value.ok_or(AttrError::BadLength(self.name))
    }

    /// Appends `value` as this option's attribute. A value of another kind appends nothing.
    ///
    /// # Errors
    /// What the sink returned.
    pub fn put<S: AttrSink>(&self, value: &OptionValue, sink: &mut S) -> Result<(), S::Error> {
        match (self.kind, value) {
            (OptionKind::Number { wire, .. }, OptionValue::Number(number)) => match wire {
                AttrType::U64 => (u64::try_from(*number).unwrap_or(0)).put(self.nr, sink),
                AttrType::S32 => (i32::try_from(*number).unwrap_or(0)).put(self.nr, sink),
                _ => (u32::try_from(*number).unwrap_or(0)).put(self.nr, sink),
            },
            (OptionKind::Boolean { .. }, OptionValue::Boolean(value)) => value.put(self.nr, sink),
            (OptionKind::Choice { .. }, OptionValue::Choice(number)) => number.put(self.nr, sink),
            (OptionKind::Text { .. }, OptionValue::Text(text)) => text.put(self.nr, sink),
            _ => Ok(()),
        }
    }

    /// The word with this number; `None` for other kinds and unknown numbers.
    pub fn word(&self, number: u32) -> Option<&'static str> {
        match self.kind {
            OptionKind::Choice { words, .. } => words
                .iter()
                .find(|(_, candidate)| *candidate == number)
                .map(|(word, _)| *word),
            _ => None,
        }
    }
}
