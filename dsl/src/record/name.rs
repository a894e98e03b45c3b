//! Names of topics, stores and applications are made of what Kafka's topic names are: they become parts of such names.

/// What is wrong with a name that may have up to `bytes_max` bytes; `None` for a name that can be used.
///
/// A name consists of ASCII letters, digits, `.`, `_` and `-`, at least one, and is neither `.` nor `..`.
///
/// ```
/// use tidemill_dsl::record::name_fault;
///
/// assert_eq!(name_fault("orders.v2", 200), None);
/// assert_eq!(name_fault("", 200).unwrap(), "it is empty");
/// ```
pub fn name_fault(name: &str, bytes_max: usize) -> Option<String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if let Some(letter) = name.chars().find(|letter| !legal(*letter)) {
        return Some(format!("it holds {letter:?}, and only ASCII letters, digits, `.`, `_` and `-` are allowed"));
    }
    if name.len() > bytes_max {
        return Some(format!("it has {} characters, and {bytes_max} are allowed", name.len()));
    }
    matches!(name, "." | "..").then(|| "no topic can have it in its name alone".to_owned())
}
