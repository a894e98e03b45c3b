//! One function for each decoder: any bytes go in, and nothing comes out.
//!
//! Rule: a target never panics, whatever the bytes; what it can check of what was read, it asserts. `cargo fuzz` calls these functions, and
//! so does `tests/corpus.rs`, over the same files.
#![forbid(unsafe_code)]

mod avro;
mod log;
mod serdes;

/// A decoder, by the name of its corpus.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name: of the folder in `fuzz/corpus`, and of the program in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// How many times longer a run takes than one of the others, about.
    pub weight: u32,
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run, weight: 1 }
}

const fn slow(name: &'static str, run: fn(&[u8]), weight: u32) -> Target {
    Target { name, run, weight }
}

/// All decoders.
pub const TARGETS: &[Target] = &[
    target("serdes", serdes::built_in),
    target("windowed_keys", serdes::windowed_keys),
    target("replies", serdes::replies),
    target("versions", tidemill::fuzzing::versions),
    target("rows", tidemill::fuzzing::rows),
    target("buffered", tidemill::fuzzing::buffered),
    target("foreign_keys", tidemill::fuzzing::foreign_keys),
    target("group_changes", tidemill::fuzzing::group_changes),
    target("held_records", tidemill::fuzzing::held_records),
    target("held_calls", tidemill::fuzzing::held_calls),
    target("store_labels", tidemill::fuzzing::store_labels),
    target("batches", log::batches),
    target("frames", tidemill::fuzzing::frames),
    slow("embedded_log", log::embedded_log, 5),
    slow("avro_schemas", avro::schemas, 2),
    slow("avro_values", avro::values, 4),
    slow("avro_versions", avro::versions, 4),
    slow("avro_serdes", avro::serdes, 2),
    slow("registry", avro::registry, 10),
    #[cfg(feature = "kafka")]
    target("offset_metadata", tidemill::fuzzing::offset_metadata),
    #[cfg(feature = "kafka")]
    target("notes", tidemill::fuzzing::notes),
];

/// Runs the target of this name.
///
/// # Panics
///
/// When there is none, and when the target finds something.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target `{name}`")).run)(bytes);
}
