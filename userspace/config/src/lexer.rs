// SPDX-License-Identifier: GPL-2.0

//! From text to tokens.

use crate::error::{
    Place,
    Problem, //
};
use logos::Logos;
use std::rc::Rc;

/// Longest word, in bytes.
pub(crate) const WORD_MAX: usize = 128;
/// Longest text in quotes, in bytes, as it stands in the file.
const QUOTED_MAX: usize = 255;

/// Kinds of tokens.
#[derive(Clone, Copy, Debug, Logos, PartialEq, Eq)]
#[logos(skip r"[ \t\r\n]+")]
#[logos(skip(r"#[^\n]*", allow_greedy = true))]
pub(crate) enum Kind {
    /// A bare word, number, path or part of an address. (Only addresses may have a `%`.)
    #[regex(r"[a-zA-Z0-9/._%-]+")]
    Word,
    /// Text in quotes.
    #[regex(r#""([^"\\\n]|\\[^\n])*""#)]
    Quoted,
    /// A quote that is not closed on its line.
    #[regex(r#""([^"\\\n]|\\[^\n])*\\?"#)]
    Unclosed,
    /// `{`
    #[token("{")]
    Open,
    /// `}`
    #[token("}")]
    Close,
    /// `;`
    #[token(";")]
    Semicolon,
    /// `[`
    #[token("[")]
    OpenIndex,
    /// `]`
    #[token("]")]
    CloseIndex,
    /// `:`
    #[token(":")]
    Colon,
}

/// A token, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Its text; of quoted text what is between the quotes, without escapes.
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl Token {
    /// How messages name it.
    pub(crate) fn shown(&self) -> String {
        const SHOWN_MAX: usize = 40;
        match self.kind {
            Kind::Quoted if self.text.chars().count() > SHOWN_MAX => {
                let begin: String = self.text.chars().take(SHOWN_MAX).collect();
                format!("\"{begin}...\"")
            }
            Kind::Quoted => format!("\"{}\"", self.text),
            _ => format!("'{}'", self.text),
        }
    }
}

/// All tokens of a text, and the place of its end.
pub(crate) fn tokens(file: &Rc<str>, text: &str) -> Result<(Vec<Token>, Place), Problem> {
    let mut found = Vec::new();
    let mut lines = Lines::new(file, text);
    for (kind, span) in Kind::lexer(text).spanned() {
        let place = lines.place(span.start);
        let raw = text.get(span).unwrap_or_default();
        let kind = kind.map_err(|()| {
            Problem::new(
                &place,
                format!("'{raw}' has no meaning here; put text with special characters in quotes"),
            )
        })?;
        let text = match kind {
            Kind::Unclosed => {
                return Err(Problem::new(
                    &place,
                    "this quote is not closed on its line; expected a second '\"'",
                ))
            }
            Kind::Quoted => unescaped(raw, &place)?,
            Kind::Word if raw.len() > WORD_MAX => {
                return Err(Problem::new(
                    &place,
                    format!("this word is longer than {WORD_MAX} bytes"),
                ))
            }
            _ => raw.to_owned(),
        };
        found.push(Token { kind, text, place });
    }
    Ok((found, lines.place(text.len())))
}

fn unescaped(raw: &str, place: &Place) -> Result<String, Problem> {
    if raw.len() > QUOTED_MAX + 2 {
        return Err(Problem::new(
            place,
            format!("this text is longer than {QUOTED_MAX} bytes"),
        ));
    }
    let inner = raw.strip_prefix('"').unwrap_or(raw);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut text = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        });
    }
    Ok(text)
}

/// Turns offsets, which only grow, into lines and columns.
struct Lines<'a> {
    file: Rc<str>,
    text: &'a str,
    line: usize,
    start: usize,
    offset: usize,
}

impl<'a> Lines<'a> {
    fn new(file: &Rc<str>, text: &'a str) -> Self {
        Self {
            file: file.clone(),
            text,
            line: 1,
            start: 0,
            offset: 0,
        }
    }

    fn place(&mut self, offset: usize) -> Place {
        let passed = self.text.get(self.offset..offset).unwrap_or_default();
        self.line += passed.matches('\n').count();
        if let Some(newline) = passed.rfind('\n') {
            self.start = self.offset + newline + 1;
        }
        self.offset = offset;
        let before = self.text.get(self.start..offset).unwrap_or_default();
        Place {
            file: self.file.clone(),
            line: self.line,
            column: before.chars().count() + 1,
        }
    }
}
