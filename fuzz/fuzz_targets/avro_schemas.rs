//! The target `avro_schemas`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidemill_fuzz_targets::run("avro_schemas", bytes));
