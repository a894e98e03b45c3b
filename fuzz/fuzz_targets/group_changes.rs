//! The target `group_changes`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidemill_fuzz_targets::run("group_changes", bytes));
