//! Finds the known name that a mistyped one was meant for.
//!
//! Rule: the fewest letters to add, take away or change; of equally near names the first in order.

/// The name that is nearest to `name`.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.map(|known| (distance(name, known), known)).min().map(|(_, known)| known)
}

/// How many letters have to be added, taken away or changed.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_changes_win_and_then_the_order() {
        let known = || ["threads", "standbys", "commit_interval"].into_iter();
        assert_eq!(nearest("comit_intervall", known()), Some("commit_interval"));
        assert_eq!(nearest("thread", known()), Some("threads"));
        assert_eq!(nearest("ab", ["ax", "aa"].into_iter()), Some("aa"));
        assert_eq!(nearest("a", std::iter::empty()), None);
    }
}
