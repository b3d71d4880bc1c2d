// SPDX-License-Identifier: GPL-2.0

//! Rust source as a flat row of tokens with lines.
//!
//! Macros' bodies and arguments are tokens like all others. Comments are none; doc comments are
//! attributes, as the language has it.

use anyhow::{anyhow, Result};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word: name or keyword.
    Word(String),
    /// One character of an operator.
    Mark(char),
    /// A number, a text, a character.
    Literal(String),
    /// `(`, `[` or `{`.
    Open(char),
    /// `)`, `]` or `}`.
    Close(char),
}

/// One token.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its line, from 1.
    pub line: usize,
    /// Whether it belongs to an item under `#[cfg(test)]`.
    pub in_test: bool,
}

impl Token {
    /// Whether it is this word.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(it) if it == word)
    }

    /// Whether it is this character of an operator.
    pub fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    /// Whether it is this opening bracket.
    pub fn opens(&self, bracket: char) -> bool {
        self.kind == Kind::Open(bracket)
    }
}

/// Splits a file into tokens.
///
/// # Errors
/// What is not Rust.
pub fn of(text: &str) -> Result<Vec<Token>> {
    let stream: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
    let mut out = Vec::new();
    flatten(stream, false, &mut out);
    Ok(out)
}

fn flatten(stream: TokenStream, in_test: bool, out: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    // An attribute holds up to the end of its item: a `;`, or a block.
    let mut item_in_test = in_test;
    for (at, tree) in trees.iter().enumerate() {
        let line = tree.span().start().line;
        let mut put = |kind| {
            out.push(Token {
                kind,
                line,
                in_test: item_in_test,
            });
        };
        match tree {
            TokenTree::Ident(word) => put(Kind::Word(word.to_string())),
            TokenTree::Literal(literal) => put(Kind::Literal(literal.to_string())),
            TokenTree::Punct(mark) => put(Kind::Mark(mark.as_char())),
            TokenTree::Group(group) => {
                let after_hash = matches!(at.checked_sub(1).and_then(|at| trees.get(at)),
                    Some(TokenTree::Punct(mark)) if mark.as_char() == '#');
                if after_hash && is_cfg_test(group) {
                    item_in_test = true;
                }
                flatten_group(group, item_in_test, out);
            }
        }
        let ends_item = match tree {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(mark) => mark.as_char() == ';',
            _ => false,
        };
        if ends_item {
            item_in_test = in_test;
        }
    }
}

fn flatten_group(group: &Group, in_test: bool, out: &mut Vec<Token>) {
    let brackets = match group.delimiter() {
        Delimiter::Parenthesis => Some(('(', ')')),
        Delimiter::Bracket => Some(('[', ']')),
        Delimiter::Brace => Some(('{', '}')),
        Delimiter::None => None,
    };
    let mut put = |kind, line| {
        out.push(Token {
            kind,
            line,
            in_test,
        });
    };
    if let Some((open, _)) = brackets {
        put(Kind::Open(open), group.span_open().start().line);
    }
    flatten(group.stream(), in_test, out);
    if let Some((_, close)) = brackets {
        out.push(Token {
            kind: Kind::Close(close),
            line: group.span_close().start().line,
            in_test,
        });
    }
}

/// Whether an attribute's brackets hold `cfg(test)`.
fn is_cfg_test(group: &Group) -> bool {
    let text: String = group.stream().to_string();
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    group.delimiter() == Delimiter::Bracket && text == "cfg(test)"
}

/// Index of the bracket that closes the one at `open`; the end of the tokens if there is none.
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Open(_) => depth += 1,
            Kind::Close(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of the word `fn`.
    pub first_line: usize,
    /// Line of the closing brace.
    pub last_line: usize,
}

/// All functions with a body, also those in macros.
pub fn functions(tokens: &[Token]) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [keyword, Token {
            kind: Kind::Word(name),
            ..
        }] = pair
        else {
            continue;
        };
        if !keyword.is_word("fn") {
            continue;
        }
        if let Some(last) = body_end(tokens, at + 2) {
            found.push(Function {
                name: name.clone(),
                first_line: keyword.line,
                last_line: last,
            });
        }
    }
    found
}

/// Line where the body ends whose signature goes on at `at`; `None` without body.
fn body_end(tokens: &[Token], mut at: usize) -> Option<usize> {
    loop {
        match tokens.get(at)?.kind {
            Kind::Open('{') => return tokens.get(closing(tokens, at)).map(|t| t.line),
            Kind::Open(_) => at = closing(tokens, at) + 1,
            Kind::Mark(';') | Kind::Close(_) => return None,
            _ => at += 1,
        }
    }
}

/// What the word `unsafe` begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsafeKind {
    /// A block.
    Block,
    /// A block of declarations, after `extern`.
    Extern,
    /// An `impl`, or a `trait`.
    Impl,
    /// A function with a name; not the type of one.
    Function,
    /// An attribute, as in `#[unsafe(no_mangle)]`.
    Attribute,
}

/// All uses of `unsafe` with their lines.
pub fn unsafe_uses(tokens: &[Token]) -> Vec<(UnsafeKind, usize)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.is_word("unsafe") {
            let rest = tokens.get(at + 1..).unwrap_or(&[]);
            found.extend(unsafe_kind(rest).map(|kind| (kind, token.line)));
        }
    }
    found
}

/// What the word begins that stands before `rest`.
fn unsafe_kind(rest: &[Token]) -> Option<UnsafeKind> {
    match &rest.first()?.kind {
        Kind::Open('{') => Some(UnsafeKind::Block),
        Kind::Open('(') => Some(UnsafeKind::Attribute),
        Kind::Word(word) => match word.as_str() {
            "impl" | "trait" => Some(UnsafeKind::Impl),
            "fn" => matches!(rest.get(1)?.kind, Kind::Word(_)).then_some(UnsafeKind::Function),
            "extern" if rest.get(2)?.opens('{') => Some(UnsafeKind::Extern),
            "extern" => unsafe_kind(rest.get(2..)?),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_fn_to_brace() {
        let tokens = of("trait T {\n fn a(&self);\n fn b() -> [u8; { 3 }]\n {\n }\n}").unwrap();
        let b = Function {
            name: "b".into(),
            first_line: 3,
            last_line: 5,
        };
        assert_eq!(functions(&tokens), [b]);
    }

    #[test]
    fn functions_in_macros_count_and_pointers_do_not() {
        let tokens = of("m! { fn a() {} }\ntype F = fn(u8) -> u8;").unwrap();
        let names: Vec<_> = functions(&tokens).into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["a"]);
    }

    #[test]
    fn an_item_under_cfg_test_is_a_test_and_the_next_is_not() {
        let tokens = of("#[cfg(test)]\nmod tests { fn a() {} }\nfn b() {}").unwrap();
        let in_test = |name| tokens.iter().find(|t| t.is_word(name)).unwrap().in_test;
        assert!(in_test("a"));
        assert!(!in_test("b"));
    }

    #[test]
    fn uses_of_unsafe_are_told_apart() {
        let text = "unsafe { a() }\nunsafe extern \"C\" { fn b(); }\nunsafe impl C for D {}\n\
                    unsafe fn e() {}\nunsafe extern \"C\" fn f() {}\n#[unsafe(no_mangle)]\n\
                    type G = unsafe extern \"C\" fn(u8);\n";
        let uses = unsafe_uses(&of(text).unwrap());
        let expected = [
            (UnsafeKind::Block, 1),
            (UnsafeKind::Extern, 2),
            (UnsafeKind::Impl, 3),
            (UnsafeKind::Function, 4),
            (UnsafeKind::Function, 5),
            (UnsafeKind::Attribute, 6),
        ];
        assert_eq!(uses, expected);
    }

    #[test]
    fn comments_and_texts_are_no_words() {
        let tokens = of("// unsafe\nconst A: &str = \"unsafe\";").unwrap();
        assert!(!tokens.iter().any(|token| token.is_word("unsafe")));
    }
}
