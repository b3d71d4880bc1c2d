// SPDX-License-Identifier: GPL-2.0

//! The words of one statement, taken one by one.

use crate::{
    error::{
        Place,
        Problem, //
    },
    lexer::{
        Kind,
        Token, //
    },
    tree::Statement, //
};

/// What is left of a statement's words.
pub(crate) struct Cursor<'a> {
    words: &'a [Token],
    statement: &'a Statement,
}

impl<'a> Cursor<'a> {
    /// The words behind the keyword.
    pub(crate) fn after_keyword(statement: &'a Statement) -> Self {
        Self {
            words: statement.words.get(1..).unwrap_or_default(),
            statement,
        }
    }

    /// Where the next word is, or the statement's end.
    pub(crate) fn place(&self) -> &'a Place {
        self.words
            .first()
            .map_or(&self.statement.end, |token| &token.place)
    }

    /// That something else was expected here.
    pub(crate) fn expected(&self, what: &str) -> Problem {
        let got = match self.words.first() {
            Some(token) => token.shown(),
            None if self.statement.body.is_some() => "'{'".to_owned(),
            None => "';'".to_owned(),
        };
        Problem::new(self.place(), format!("expected {what}, got {got}"))
    }

    /// The next word if there is one and it says this.
    pub(crate) fn take_word(&mut self, text: &str) -> bool {
        let (found, rest) = match self.words.split_first() {
            Some((token, rest)) => (token.kind == Kind::Word && token.text == text, rest),
            None => return false,
        };
        if found {
            self.words = rest;
        }
        found
    }

    /// Whether there are no more words.
    pub(crate) fn is_at_end(&self) -> bool {
        self.words.is_empty()
    }

    /// A word or text; `what` it is, for the message.
    pub(crate) fn text(&mut self, what: &str) -> Result<&'a Token, Problem> {
        match self.words.split_first() {
            Some((token, rest))
                if token.kind == Kind::Quoted
                    || token.kind == Kind::Word && !token.text.contains('%') =>
            {
                self.words = rest;
                Ok(token)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// A number from `min` to `max`.
    pub(crate) fn number(&mut self, what: &str, min: u32, max: u32) -> Result<u32, Problem> {
        let token = self.text(what)?;
        token
            .text
            .parse()
            .ok()
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| {
                Problem::new(
                    &token.place,
                    format!("expected {what} from {min} to {max}, got {}", token.shown()),
                )
            })
    }

    /// One of the punctuation tokens.
    pub(crate) fn punctuation(&mut self, kind: Kind, shown: &str) -> Result<(), Problem> {
        match self.words.split_first() {
            Some((token, rest)) if token.kind == kind => {
                self.words = rest;
                Ok(())
            }
            _ => Err(self.expected(shown)),
        }
    }

    /// Whether the next token is of this kind.
    pub(crate) fn is_next(&self, kind: Kind) -> bool {
        self.words.first().is_some_and(|token| token.kind == kind)
    }

    /// Tokens up to the next one of this kind, written together.
    pub(crate) fn until(&mut self, kind: Kind) -> String {
        let end = self
            .words
            .iter()
            .position(|token| token.kind == kind)
            .unwrap_or(self.words.len());
        let (taken, rest) = self.words.split_at(end);
        self.words = rest;
        taken.iter().map(|token| token.text.as_str()).collect()
    }

    /// The end of a statement that is no section.
    pub(crate) fn end(&self) -> Result<(), Problem> {
        if self.is_at_end() && self.statement.body.is_none() {
            return Ok(());
        }
        Err(self.expected("';'"))
    }

    /// The body of a section.
    pub(crate) fn body(&self) -> Result<&'a [Statement], Problem> {
        match (&self.statement.body, self.is_at_end()) {
            (Some(body), true) => Ok(body),
            _ => Err(self.expected("'{'")),
        }
    }
}
