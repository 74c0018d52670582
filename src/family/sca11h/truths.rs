//! What holds whatever is pushed. The property tests and the fuzzer (`tests/fuzz/bed.rs`) both ask this.

use std::time::Duration;

use bytes::Bytes;

use super::follow::Follow;
use super::{body, clock};
use crate::model::Timestamp;

/// Any bytes as a push.
///
/// # Panics
/// When a truth does not hold.
pub fn push(input: &[u8]) {
    let raw = Bytes::copy_from_slice(input);
    let message = body::read(&raw);
    if message.fault.as_ref().is_some_and(|fault| !fault.may_be_salvaged()) {
        assert!(message.nodes.is_empty(), "nothing is taken from what is dangerous");
    }
    let several = message.nodes.len() > 1;
    let arrived = Timestamp::from_micros(1_489_964_525_000_000);
    for said in &message.nodes {
        assert_eq!(said.own.is_some(), several, "only one of several has a part of its own");
        let rows = || said.measured.iter().flat_map(|measured| &measured.rows);
        assert!(rows().count() <= 3600);
        assert!(rows().all(|row| row.index.is_none_or(|index| index.abs() < 10_000_000_000)));
        let times = clock::times(said, arrived, 0, Duration::from_mins(2));
        assert_eq!(times.rows.len(), rows().count(), "each row has a time");
        assert!(times.believed || times.rows.iter().all(|row| row.at <= arrived), "reckoned times are past");
        let mut follow = Follow::default();
        let news = follow.take(said, &times);
        assert_eq!(news.samples.len() + news.repeated, times.rows.len(), "each row is new or a repeat");
        let readings = follow.readings(&news.samples, &times);
        // Four vitals, strength, status, three beats and freshness; the clock's two once.
        assert!(readings.len() <= news.samples.len() * 10 + 2);
        assert!(readings.iter().all(|reading| reading.created.is_some()));
        if times.rows.len() <= 640 {
            let again = follow.take(said, &times);
            assert!(again.samples.iter().all(|sample| sample.index.is_none()), "what has a name counts once");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Sample A with a piece cut out, put in, or turned.
    fn like_a_push() -> impl Strategy<Value = Vec<u8>> {
        const A: &[u8] = include_bytes!("samples/a.xml");
        let piece = prop_oneof![
            Just("<Values>1,2,3,4,5,6,1,8,9,0</Values>".to_owned()),
            Just("<Node id='x'>".to_owned()),
            Just("</Node>".to_owned()),
            Just("&#13;".to_owned()),
            Just("]]>".to_owned()),
            Just("\n-1,+2,,4,5,6,9,8,9,0\n".to_owned()),
            "[<>/=\"'&;, 0-9a-z\n]{0,16}",
        ];
        (0..=A.len(), 0..40_usize, piece).prop_map(|(at, cut, piece)| {
            let end = (at + cut).min(A.len());
            [A.get(..at).unwrap_or_default(), piece.as_bytes(), A.get(end..).unwrap_or_default()].concat()
        })
    }

    proptest! {
        #[test]
        fn of_pushes(text in prop_oneof![like_a_push(), proptest::collection::vec(any::<u8>(), 0..256)]) {
            super::push(&text);
        }
    }
}
