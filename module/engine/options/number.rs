// SPDX-License-Identifier: GPL-2.0

//! Units of numeric options, and numbers with a suffix.

use super::OptionError;

/// What a numeric option counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Plain number.
    Count,
    /// Bytes.
    Bytes,
    /// 512-byte sectors.
    Sectors,
    /// KiB for each second.
    KibPerSecond,
    /// Kibibytes.
    Kib,
    /// Seconds.
    Seconds,
    /// Tenths of a second.
    Deciseconds,
}

impl Unit {
    /// Letter that the help texts give as the unit of a number without suffix: `1`, `s` or `k`.
    pub fn prefix(self) -> char {
        match self {
            Unit::Sectors => 's',
            Unit::KibPerSecond | Unit::Kib => 'k',
            Unit::Count | Unit::Bytes | Unit::Seconds | Unit::Deciseconds => '1',
        }
    }

    /// Words for the help texts; empty for a plain number, and where the option's name says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Count | Unit::Kib => "",
            Unit::Bytes | Unit::Sectors => "bytes",
            Unit::KibPerSecond => "bytes/second",
            Unit::Seconds => "seconds",
            Unit::Deciseconds => "1/10 seconds",
        }
    }

    /// What follows a number of these units, with a space in front; empty for a plain number.
    pub fn after_number(self) -> &'static str {
        match self {
            Unit::Count => "",
            Unit::Bytes => " bytes",
            Unit::Sectors => " sectors of 512 bytes",
            Unit::KibPerSecond => " KiB/s",
            Unit::Kib => " KiB",
            Unit::Seconds => " seconds",
            Unit::Deciseconds => " 1/10 seconds",
        }
    }

    /// Power of two that one unit is worth in bytes.
    fn shift(self) -> u32 {
        match self {
            Unit::Sectors => 9,
            Unit::KibPerSecond | Unit::Kib => 10,
            Unit::Count | Unit::Bytes | Unit::Seconds | Unit::Deciseconds => 0,
        }
    }
}

/// Reads a number, with an optional suffix `s` (sectors), `K`, `M` or `G` in either case, and
/// converts it to `unit`. A part of a unit counts as a whole one.
///
/// # Errors
/// Not a number, an unknown suffix, or more than 64 bits; `name` is the option to blame.
pub fn parse_number(name: &'static str, text: &str, unit: Unit) -> Result<i64, OptionError> {
    let not_a_number = OptionError::NotANumber(name);
    let digits_end = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-')))
        .map_or(text.len(), |(at, _)| at);
    let (digits, suffix) = text.split_at_checked(digits_end).ok_or(not_a_number)?;
    let value: i64 = digits.parse().map_err(|_| not_a_number)?;
    let shift = match suffix {
        "" => return Ok(value),
        "s" | "S" => 9,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return Err(OptionError::BadSuffix(name)),
    };
    let too_much = OptionError::OutOfRange(name);
    let bytes = value.checked_mul(1 << shift).ok_or(too_much)?;
    let per_unit = 1_i64 << unit.shift();
    let rounded_up = bytes
        .checked_add(per_unit.saturating_sub(1))
        .ok_or(too_much)?;
    Ok(rounded_up >> unit.shift())
}
