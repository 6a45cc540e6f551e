//! The target `join`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ikigai_fuzz::joining(bytes));
