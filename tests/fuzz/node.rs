//! One upload of a Tswarm node: any bytes to a name, numbers and flags.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| homeport::family::tswarm::truths::body(input));
