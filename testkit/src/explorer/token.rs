//! A way as text that can be copied: `xpl1:`, the records of the script that are left out, if any are, between two tildes, and
//! for each step its place among those that were possible, in base 36.

use std::fmt;
use std::str::FromStr;

use super::search::Way;

const SCHEME: &str = "xpl1:";

/// A way as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Places in the script, rising.
    left_out: Vec<usize>,
    way: Way,
}

/// Text that is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenError(String);

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no replay token: copy it from a story, from `{SCHEME}` on", self.0)
    }
}

impl std::error::Error for TokenError {}

impl Token {
    pub(super) fn of(way: &Way) -> Self {
        Token { left_out: Vec::new(), way: way.clone() }
    }

    /// Of a script without some of its records.
    pub(super) fn without(self, left_out: &[usize]) -> Self {
        Token { left_out: left_out.to_vec(), ..self }
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    pub(super) fn left_out(&self) -> &[usize] {
        &self.left_out
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        if !self.left_out.is_empty() {
            let places: Vec<String> = self.left_out.iter().map(usize::to_string).collect();
            write!(f, "~{}~", places.join("."))?;
        }
        for choice in &self.way {
            match char::from_digit(u32::from(*choice), 36) {
                Some(digit) => write!(f, "{digit}")?,
                None => write!(f, "({choice})")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let wrong = || TokenError(text.to_owned());
        let mut rest = text.trim().strip_prefix(SCHEME).ok_or_else(wrong)?;
        let mut left_out = Vec::new();
        if let Some(listed) = rest.strip_prefix('~') {
            let (places, behind) = listed.split_once('~').ok_or_else(wrong)?;
            left_out = places.split('.').map(|place| place.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
            rest = behind;
        }
        let mut way = Way::new();
        while let Some(first) = rest.chars().next() {
            let (choice, behind) = if let Some(number) = rest.strip_prefix('(') {
                let (number, behind) = number.split_once(')').ok_or_else(wrong)?;
                (number.parse().map_err(|_| wrong())?, behind)
            } else {
                let digit = first.to_digit(36).ok_or_else(wrong)?;
                (u16::try_from(digit).map_err(|_| wrong())?, &rest[first.len_utf8()..])
            };
            way.push(choice);
            rest = behind;
        }
        Ok(Token { left_out, way })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let way: Way = vec![0, 0, 3, 35, 36, 700, 1];
        let text = Token::of(&way).to_string();
        assert_eq!(text, "xpl1:003z(36)(700)1");
        assert_eq!(text.parse::<Token>().unwrap().way(), &way);
        let shorter = Token::of(&vec![0, 2]).without(&[1, 14]);
        assert_eq!(shorter.to_string(), "xpl1:~1.14~02");
        assert_eq!("xpl1:~1.14~02".parse(), Ok(shorter));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "xpl2:0", "xpl1:!", "xpl1:(3", "xpl1:(99999999)", "xpl1:~1", "xpl1:~~0"] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }
}
