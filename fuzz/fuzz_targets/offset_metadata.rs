//! The target `offset_metadata`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidemill_fuzz_targets::run("offset_metadata", bytes));
