//! The target `membership`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ikigai_fuzz::membership(bytes));
