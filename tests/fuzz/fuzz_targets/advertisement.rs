//! The target `advertisement`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ikigai_fuzz::advertisement(bytes));
