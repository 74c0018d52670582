//! One push of a bed sensor: any bytes to rows, times and readings.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| homeport::family::sca11h::truths::push(input));
