//! The target `store_labels`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidemill_fuzz_targets::run("store_labels", bytes));
