//! One message: exact text to typed message and verdict.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| homeport::family::cwm::truths::okm(input));
