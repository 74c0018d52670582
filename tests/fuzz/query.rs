//! Query strings and forms.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| homeport::http::truths::query(input));
