//! `Range`, its conditions, and `offset` and `len` in the query.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| homeport::http::truths::range(input));
