//! A JSON text over several lines. Its members stay in their order, which a parsed document would not keep.

/// `text`, which is JSON, with two blanks for each level.
pub(super) fn pretty(text: &str) -> String {
    let (mut out, mut depth, mut in_string, mut escaped) =
        (String::with_capacity(text.len() * 2), 0_usize, false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if in_string {
            out.push(letter);
            in_string = letter != '"' || escaped;
            escaped = letter == '\\' && !escaped;
            continue;
        }
        match letter {
            ' ' | '\n' | '\r' | '\t' => {}
            '{' | '[' => {
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                out.push(letter);
                match letters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(" : "),
            _ => {
                in_string = letter == '"';
                out.push(letter);
            }
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[test]
fn members_stay_in_their_order() {
    let text = r#"{"type":"record", "name":"a","fields":[ ],"doc":"x\":{","aliases":["b","c"]}"#;
    let lines = "{\n  \"type\" : \"record\",\n  \"name\" : \"a\",\n  \"fields\" : [],\n  \"doc\" : \"x\\\":{\",\n  \
                 \"aliases\" : [\n    \"b\",\n    \"c\"\n  ]\n}";
    assert_eq!(pretty(text), lines);
    assert_eq!(pretty("\"string\""), "\"string\"");
}
