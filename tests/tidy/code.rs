//! Rust text with comments, strings and characters blanked out, so that only code is looked at. Lines stay in place.

/// The code of `text`: as long, with the same line ends; what is no code is blanks.
pub(crate) fn only(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(next) = rest.chars().next() {
        let length = not_code(rest, &out);
        if length == 0 {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// How many bytes at the start of `rest` are a comment, a string or a character; `before` is the code so far.
fn not_code(rest: &str, before: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    let in_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    match rest.as_bytes()[0] {
        b'"' => quoted(rest, 1, '"'),
        b'r' | b'b' | b'c' if !in_word => prefixed(rest),
        b'\'' => character(rest),
        _ => 0,
    }
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        depth += i32::from(tail.starts_with(b"/*")) - i32::from(tail.starts_with(b"*/"));
        at += if tail.starts_with(b"/*") || tail.starts_with(b"*/") { 2 } else { 1 };
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a literal whose content begins at byte `from` and which `end` closes, unless a backslash stands before it.
fn quoted(rest: &str, from: usize, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest[from..].char_indices() {
        if c == end && !escaped {
            return from + at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// `r"..."`, `r#"..."#`, `b"..."`, `br"..."`, `c"..."`; 0 for a word that only begins so.
fn prefixed(rest: &str) -> usize {
    let letters = rest.len() - rest.trim_start_matches(['b', 'c', 'r']).len();
    let (prefix, tail) = rest.split_at(letters);
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    if letters > 2 || !tail[hashes..].starts_with('"') {
        return 0;
    }
    if !prefix.contains('r') {
        return if hashes == 0 { quoted(rest, letters + 1, '"') } else { 0 };
    }
    let start = letters + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    rest[start..].find(&close).map_or(rest.len(), |at| start + at + close.len())
}

/// `'x'` or `'\n'`; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut inside = rest[1..].chars();
    match (inside.next(), inside.next()) {
        (Some('\\'), _) => quoted(rest, 1, '\''),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 0,
    }
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    let text =
        "a // tokio\n/* b /* c */ d */ e(\"f \\\" g\", r#\"h \" i\"#, b\"j\", 'k', '\\'', &'l m) // n\nfor_r\"o\"";
    let words = only(text);
    assert_eq!(
        words.split_whitespace().collect::<Vec<_>>(),
        ["a", "e(", ",", ",", ",", ",", ",", "&'l", "m)", "for_r"]
    );
    assert_eq!(words.matches('\n').count(), 2);
}
