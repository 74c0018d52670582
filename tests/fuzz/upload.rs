//! One upload of a device with a token: any bytes to records and readings.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| homeport::family::token::truths::upload(input));
