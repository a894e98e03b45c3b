//! A program as the log keeps it: lines of text, so that anybody can read them.
//!
//! ```text
//! tidemill-program 1                                       what it is, and the version
//! store sums changelog plain key-value string -> json      name; where its rows are: `changelog` or `disk`; its shape
//! repartition app-by-owner-repartition                     full name of the topic
//! ```
//!
//! Rule: lines that begin with another word are skipped, so a later version may say more; a text of another version is refused.

use std::fmt::Write;

use super::{KeptStore, Program, Rows};

const FIRST: &str = "tidemill-program 1";

pub(super) fn write(program: &Program) -> String {
    let mut text = format!("{FIRST}\n");
    for (name, KeptStore { shape, rows }) in &program.stores {
        let rows = match rows {
            Rows::Changelog => "changelog",
            Rows::Disk => "disk",
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "store {name} {rows} {shape}");
    }
    for topic in &program.repartitions {
        let _ = writeln!(text, "repartition {topic}");
    }
    text
}

/// Reads what [`write`] wrote; `None` for anything else.
pub(super) fn read(text: &str) -> Option<Program> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST) {
        return None;
    }
    let mut program = Program::default();
    for line in lines {
        match line.split_once(' ') {
            Some(("store", rest)) => {
                let (name, rest) = rest.split_once(' ')?;
                let (rows, shape) = rest.split_once(' ')?;
                let rows = match rows {
                    "changelog" => Rows::Changelog,
                    "disk" => Rows::Disk,
                    _ => return None,
                };
                program.stores.insert(name.to_owned(), KeptStore { shape: shape.to_owned(), rows });
            }
            Some(("repartition", topic)) => drop(program.repartitions.insert(topic.to_owned())),
            _ => {}
        }
    }
    Some(program)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_program() -> impl Strategy<Value = Program> {
        let store = ("[a-z (),>-]{1,30}", prop_oneof![Just(Rows::Changelog), Just(Rows::Disk)]);
        let store = store.prop_map(|(shape, rows)| KeptStore { shape, rows });
        let stores = prop::collection::btree_map("[A-Za-z0-9._-]{1,9}", store, 0..5);
        let repartitions = prop::collection::btree_set("[A-Za-z0-9._-]{1,9}", 0..5);
        (stores, repartitions).prop_map(|(stores, repartitions)| Program { stores, repartitions })
    }

    proptest! {
        #[test]
        fn a_program_comes_back_as_it_was_written_also_with_what_a_later_version_adds(program in any_program()) {
            let text = write(&program);
            prop_assert_eq!(read(&text), Some(program.clone()));
            prop_assert_eq!(read(&format!("{text}window 5\n")), Some(program));
        }
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for text in
            ["", "tidemill-program 2\n", "tidemill-program 1\nstore a\n", "tidemill-program 1\nstore a tape x\n"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
