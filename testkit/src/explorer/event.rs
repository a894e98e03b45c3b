//! What a step did, as far as a story tells it or a property looks at it.

use tidemill::record::Offset;

/// Something that happened in a step. Partitions and tasks are named by their numbers in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A record of a script was sent, and is there.
    Sent { log: usize, offset: Offset },
    /// A task fetched a record.
    Fetched { task: usize, log: usize, offset: Offset },
    /// A task processed a record.
    Processed { task: usize, log: usize, offset: Offset },
    /// A task wrote a record that is on its way.
    Wrote { task: usize, log: usize, record: RecordText },
    /// A member's record arrived in its partition.
    Arrived { tasks: Vec<usize>, log: usize, offset: Offset },
    /// A record can be read by everybody.
    Visible { log: usize, offset: Offset },
    /// Caches and changelogs were sent, and a commit waits for them.
    Flushed { tasks: Vec<usize> },
    /// A commit was made.
    Committed { tasks: Vec<usize> },
    /// A commit of tasks that had been taken away was refused.
    Fenced { tasks: Vec<usize> },
    /// A wall-clock timer fired.
    Ticked { task: usize },
    /// A member died, and one that took its place has restored what was committed.
    Crashed { tasks: Vec<usize> },
    /// Tasks went to another member.
    Moved { tasks: Vec<usize> },
    /// The former owner of tasks is gone.
    Left { tasks: Vec<usize> },
    /// A task failed.
    Failed { task: usize, error: String },
}

/// A record in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordText {
    pub(super) key: String,
    pub(super) value: String,
}

impl RecordText {
    pub(super) fn of(key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        RecordText { key: text(key), value: text(value) }
    }
}

impl std::fmt::Display for RecordText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.key, self.value)
    }
}

/// Bytes as a person reads them: text where they are text, 8 bytes as a number, hexadecimal otherwise.
fn text(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let readable = std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control));
    if let Some(text) = readable {
        return text.to_owned();
    }
    match bytes.try_into() {
        Ok(number) => i64::from_be_bytes(number).to_string(),
        Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_a_person_reads_them() {
        let shown = |bytes: &[u8]| text(Some(bytes));
        assert_eq!(shown(b"alice"), "alice");
        assert_eq!(shown(&(-20_i64).to_be_bytes()), "-20");
        assert_eq!(shown(&10_i64.to_be_bytes()), "10");
        assert_eq!(shown(&[0, 255]), "00ff");
        assert_eq!(text(None), "null");
    }
}
