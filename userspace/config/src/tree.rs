// SPDX-License-Identifier: GPL-2.0

//! From tokens to statements: `words ;` or `words { statements }`.

use crate::{
    error::{
        Place,
        Problem, //
    },
    lexer::{
        tokens,
        Kind,
        Token, //
    }, //
};
use std::rc::Rc;

/// Sections in sections, at most; the grammar needs five.
const DEPTH_MAX: usize = 16;

/// A statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// What stands before the semicolon or brace; never empty.
    pub(crate) words: Vec<Token>,
    /// What is between its braces, if it is a section.
    pub(crate) body: Option<Vec<Statement>>,
    /// Where the semicolon or the opening brace is.
    pub(crate) end: Place,
}

/// All statements of a file.
pub(crate) fn statements(file: &Rc<str>, text: &str) -> Result<Vec<Statement>, Problem> {
    let (tokens, end) = tokens(file, text)?;
    Parser {
        tokens: tokens.into_iter(),
        end,
    }
    .statements(None, 0)
}

struct Parser {
    tokens: std::vec::IntoIter<Token>,
    end: Place,
}

impl Parser {
    /// Statements up to the brace that closes the one at `opened`, or to the end of the file.
    fn statements(
        &mut self,
        opened: Option<&Token>,
        depth: usize,
    ) -> Result<Vec<Statement>, Problem> {
        let mut found = Vec::new();
        loop {
            match (self.tokens.next(), opened) {
                (None, None) => return Ok(found),
                (None, Some(brace)) => return Err(self.never_closed(brace)),
                (Some(token), _) if token.kind == Kind::Close => {
                    match opened {
                        Some(_) => return Ok(found),
                        None => return Err(Problem::new(
                            &token.place,
                            "this '}' closes nothing; expected 'global', 'common', 'resource', \
                             'skip' or 'include'",
                        )),
                    }
                }
                (Some(first), _) if depth == 0 && first.text == "skip" => self.skip(&first)?,
                (Some(first), _) => found.push(self.statement(first, depth)?),
            }
        }
    }

    fn statement(&mut self, first: Token, depth: usize) -> Result<Statement, Problem> {
        if !matches!(first.kind, Kind::Word | Kind::Quoted) {
            return Err(Problem::new(
                &first.place,
                format!("expected a keyword, got {}", first.shown()),
            ));
        }
        let mut words = vec![first];
        loop {
            let token = self.tokens.next().ok_or_else(|| {
                Problem::new(&self.end, "the file ends here; expected ';' or '{'")
            })?;
            let end = token.place.clone();
            match token.kind {
                Kind::Semicolon => {
                    return Ok(Statement {
                        words,
                        body: None,
                        end,
                    })
                }
                Kind::Open if depth >= DEPTH_MAX => {
                    return Err(Problem::new(&end, "too many sections in sections"))
                }
                Kind::Open => {
                    let body = self.statements(Some(&token), depth + 1)?;
                    return Ok(Statement {
                        words,
                        body: Some(body),
                        end,
                    });
                }
                Kind::Close => {
                    return Err(Problem::new(
                        &end,
                        format!("expected ';' after {}, got '}}'", last(&words)),
                    ))
                }
                _ => words.push(token),
            }
        }
    }

    /// Passes over `skip [NAME] { ... }`; what is in it need not be right.
    fn skip(&mut self, skip: &Token) -> Result<(), Problem> {
        let expected = |token: Option<&Token>, end: &Place| match token {
            Some(token) => Problem::new(
                &token.place,
                format!("expected '{{' after 'skip', got {}", token.shown()),
            ),
            None => Problem::new(end, "the file ends here; expected '{' after 'skip'"),
        };
        let mut brace = self.tokens.next();
        if brace
            .as_ref()
            .is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Quoted))
        {
            brace = self.tokens.next();
        }
        let brace = brace
            .as_ref()
            .filter(|token| token.kind == Kind::Open)
            .ok_or_else(|| expected(brace.as_ref(), &skip.place))?;
        let mut level = 1_usize;
        while level > 0 {
            match self.tokens.next() {
                None => return Err(self.never_closed(brace)),
                Some(token) if token.kind == Kind::Open => level += 1,
                Some(token) if token.kind == Kind::Close => level -= 1,
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn never_closed(&self, brace: &Token) -> Problem {
        Problem::new(
            &self.end,
            format!(
                "the file ends here; expected a '}}' for the '{{' in line {}",
                brace.place.line
            ),
        )
    }
}

fn last(words: &[Token]) -> String {
    words.last().map_or_else(String::new, Token::shown)
}
