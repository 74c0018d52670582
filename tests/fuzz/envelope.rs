//! A request's arguments: query and body to exact texts.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| homeport::family::cwm::truths::envelope(input));
