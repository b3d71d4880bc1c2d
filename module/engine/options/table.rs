// SPDX-License-Identifier: GPL-2.0

//! From a table of options to a typed struct.

use super::{
    FixedStr,
    OptionError,
    OptionKind,
    OptionSpec, //
};
use crate::engine::control::{
    AttrError,
    AttrSink,
    AttrValue, //
};

/// A Rust type that an option's value can have.
pub trait OptionField: Sized {
    /// The default that the table gives.
    fn default_of(spec: &OptionSpec) -> Self;

    /// Reads the payload of the option's attribute.
    ///
    /// # Errors
    /// A payload of a wrong length, or a number without a word.
    fn from_payload(spec: &OptionSpec, payload: &[u8]) -> Result<Self, AttrError>;

    /// Appends the value as attribute `nr`.
    ///
    /// # Errors
    /// What the sink returned.
    fn put_option<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error>;

    /// Checks the value against the table's range.
    ///
    /// # Errors
    /// [`OptionError::OutOfRange`].
    fn check(&self, spec: &OptionSpec) -> Result<(), OptionError>;
}

macro_rules! number_field {
    ($($int:ty),*) => {$(
        impl OptionField for $int {
            fn default_of(spec: &OptionSpec) -> Self {
                match spec.kind {
                    OptionKind::Number { default, .. } => {
                        <$int>::try_from(default).unwrap_or_default()
                    }
                    _ => 0,
                }
            }

            fn from_payload(spec: &OptionSpec, payload: &[u8]) -> Result<Self, AttrError> {
                <$int as AttrValue>::decode(payload).ok_or(AttrError::BadLength(spec.name))
            }

            fn put_option<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error> {
                AttrValue::put(self, nr, sink)
            }

            fn check(&self, spec: &OptionSpec) -> Result<(), OptionError> {
                spec.check_number(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )*};
}

number_field!(u32, i32, u64);

impl OptionField for bool {
    fn default_of(spec: &OptionSpec) -> Self {
        matches!(spec.kind, OptionKind::Boolean { default: true })
    }

    fn from_payload(spec: &OptionSpec, payload: &[u8]) -> Result<Self, AttrError> {
        <bool as AttrValue>::decode(payload).ok_or(AttrError::BadLength(spec.name))
    }

    fn put_option<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error> {
        AttrValue::put(self, nr, sink)
    }

    fn check(&self, _spec: &OptionSpec) -> Result<(), OptionError> {
        Ok(())
    }
}

impl<const N: usize> OptionField for FixedStr<N> {
    fn default_of(_spec: &OptionSpec) -> Self {
        Self::EMPTY
    }

    fn from_payload(spec: &OptionSpec, payload: &[u8]) -> Result<Self, AttrError> {
        <Self as AttrValue>::decode(payload).ok_or(AttrError::BadLength(spec.name))
    }

    fn put_option<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error> {
        AttrValue::put(self, nr, sink)
    }

    fn check(&self, _spec: &OptionSpec) -> Result<(), OptionError> {
        Ok(())
    }
}

/// A struct with one field for each line of a table.
pub trait OptionTable: Default {
    /// The table.
    const TABLE: &'static [OptionSpec];

    /// Takes one attribute in; `Ok(false)` when no option has this number. The value must be in
    /// the option's range.
    ///
    /// # Errors
    /// A wrong length, a number without a word, or a number out of range.
    fn apply(&mut self, nr: u16, payload: &[u8]) -> Result<bool, AttrError>;

    /// Appends all options to `sink`; secrets as empty text unless `with_secrets`.
    ///
    /// # Errors
    /// What the sink returned.
    fn emit<S: AttrSink>(&self, sink: &mut S, with_secrets: bool) -> Result<(), S::Error>;

    /// Sets all options to their defaults but the invariant ones: the flag `SET_DEFAULTS` of the
    /// commands that change options.
    fn set_defaults(&mut self);

    /// Checks all ranges.
    ///
    /// # Errors
    /// The first option that is out of range.
    fn check(&self) -> Result<(), OptionError>;

    /// The line of the option called `name`.
    fn find(name: &str) -> Option<&'static OptionSpec> {
        Self::TABLE.iter().find(|spec| spec.name == name)
    }

    /// The line of the option with this attribute number.
    fn find_nr(nr: u16) -> Option<&'static OptionSpec> {
        Self::TABLE.iter().find(|spec| spec.nr == nr)
    }
}

/// Makes a struct that implements [`OptionTable`]: `field: Type = line of the table`. What the doc
/// comment of a field says, help and manual say, too.
macro_rules! option_table {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])* $field:ident: $type:ty = $spec:expr;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[doc = $doc])* pub $field: $type,)*
        }

        /// One constant for each option, so that field and line cannot be mixed up.
        #[expect(non_upper_case_globals)]
        mod line {
            use super::*;
            $(pub(super) const $field: OptionSpec = $spec.described(concat!($($doc),*));)*
        }

        impl Default for $name {
            fn default() -> Self {
                use $crate::engine::options::OptionField;
                Self {
                    $($field: OptionField::default_of(&line::$field),)*
                }
            }
        }

        impl $crate::engine::options::OptionTable for $name {
            const TABLE: &'static [OptionSpec] = &[$(line::$field,)*];

            fn apply(
                &mut self,
                nr: u16,
                payload: &[u8],
            ) -> Result<bool, $crate::engine::control::AttrError> {
                use $crate::engine::{
                    control::AttrError,
                    options::OptionField, //
                };
                $(
                    if nr == line::$field.nr {
                        let value = <$type as OptionField>::from_payload(&line::$field, payload)?;
                        value
                            .check(&line::$field)
                            .map_err(|error| AttrError::BadValue(error.option()))?;
                        self.$field = value;
                        return Ok(true);
                    }
                )*
                Ok(false)
            }

            fn emit<S: $crate::engine::control::AttrSink>(
                &self,
                sink: &mut S,
                with_secrets: bool,
            ) -> Result<(), S::Error> {
                use $crate::engine::options::OptionField;
                $(
                    if with_secrets || !line::$field.secret {
                        self.$field.put_option(line::$field.nr, sink)?;
                    } else {
                        sink.put(line::$field.nr, &[0])?;
                    }
                )*
                Ok(())
            }

            fn set_defaults(&mut self) {
                use $crate::engine::options::OptionField;
                $(
                    if !line::$field.invariant {
                        self.$field = OptionField::default_of(&line::$field);
                    }
                )*
            }

            fn check(&self) -> Result<(), $crate::engine::options::OptionError> {
                use $crate::engine::options::OptionField;
                $(self.$field.check(&line::$field)?;)*
                Ok(())
            }
        }
    };
}

pub(super) use option_table;
