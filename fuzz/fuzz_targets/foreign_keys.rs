//! The target `foreign_keys`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidemill_fuzz_targets::run("foreign_keys", bytes));
