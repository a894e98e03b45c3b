//! Every path that code names, groups of `use` written out: `use a::{b, c::d}` names `a::b` and `a::c::d`.

use crate::code;

/// A path such as `std::time::Instant` and the line it stands on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    pub(crate) line: usize,
    pub(crate) path: String,
}

impl NamedPath {
    /// Whether this is `prefix` or something inside it.
    pub(crate) fn is_in(&self, prefix: &str) -> bool {
        self.path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

/// The paths in Rust text, single names included.
pub(crate) fn named(text: &str) -> Vec<NamedPath> {
    let tokens = tokens(&code::only(text));
    let (mut at, mut found) = (0, Vec::new());
    while at < tokens.len() {
        at = if tokens[at].is_word() { path(&tokens, at, "", &mut found) } else { at + 1 };
    }
    found
}

struct Token {
    line: usize,
    text: String,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// Words, `::`, and every other sign by itself.
fn tokens(code: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let in_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = match first {
                c if in_word(c) => rest.find(|c| !in_word(c)).unwrap_or(rest.len()),
                _ if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            if !first.is_whitespace() {
                found.push(Token { line: index + 1, text: rest[..length].into() });
            }
            rest = &rest[length..];
        }
    }
    found
}

/// Reads the path whose first word is token `at`, below `prefix`; the result is the first token behind it.
fn path(tokens: &[Token], at: usize, prefix: &str, found: &mut Vec<NamedPath>) -> usize {
    let join = |head: &str, word: &str| if head.is_empty() { word.to_string() } else { format!("{head}::{word}") };
    let (line, mut name, mut at) = (tokens[at].line, join(prefix, &tokens[at].text), at + 1);
    while tokens.get(at).is_some_and(|token| token.text == "::") {
        match tokens.get(at + 1) {
            Some(next) if next.is_word() => (name, at) = (join(&name, &next.text), at + 2),
            Some(next) if next.text == "{" => return group(tokens, at + 2, &name, found),
            _ => break,
        }
    }
    found.push(NamedPath { line, path: name });
    at
}

/// Reads what stands between the braces of a `use`; `at` is behind the opening one, the result behind the closing one.
fn group(tokens: &[Token], mut at: usize, prefix: &str, found: &mut Vec<NamedPath>) -> usize {
    while let Some(token) = tokens.get(at) {
        if token.text == "}" {
            return at + 1;
        }
        at = if token.is_word() { path(tokens, at, prefix, found) } else { at + 1 };
    }
    at
}

#[test]
fn groups_are_written_out() {
    let found =
        named("use std::{fs, time::{Duration, Instant}};\nlet x: Vec::<u8> = ::tokio::spawn(y); // rdkafka::no");
    let paths: Vec<_> = found.iter().map(|named| (named.line, named.path.as_str())).collect();
    let first = [(1, "use"), (1, "std::fs"), (1, "std::time::Duration"), (1, "std::time::Instant")];
    let second = [(2, "let"), (2, "x"), (2, "Vec"), (2, "u8"), (2, "tokio::spawn"), (2, "y")];
    assert_eq!(paths, [&first[..], &second].concat());
    assert!(found[3].is_in("std::time") && found[3].is_in("std::time::Instant") && !found[3].is_in("std::ti"));
}
