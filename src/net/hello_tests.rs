//! Hellos by the byte.

use proptest::prelude::*;

use super::*;

/// A hello with these suites and extensions, in one record.
fn hello(version: u16, suites: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([0; 32]);
    body.push(0); // no session
    body.extend(u16::try_from(suites.len() * 2).unwrap().to_be_bytes());
    body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    body.extend([1, 0]); // no compression
    let all: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, data)| {
            let length = u16::try_from(data.len()).unwrap();
            [&kind.to_be_bytes()[..], &length.to_be_bytes(), data].concat()
        })
        .collect();
    body.extend(u16::try_from(all.len()).unwrap().to_be_bytes());
    body.extend(all);
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1], &length[1..], &body].concat();
    record(&message)
}

fn record(part: &[u8]) -> Vec<u8> {
    [&[22, 3, 1], &u16::try_from(part.len()).unwrap().to_be_bytes()[..], part].concat()
}

fn modern() -> Vec<u8> {
    hello(
        0x0303,
        &[0x1A1A, 0x1301, 0xC02F],
        &[
            (0, [&[0, 7, 0, 0, 4][..], b"home"].concat()),
            (10, vec![0, 4, 0xAA, 0xAA, 0, 23]),
            (13, vec![0, 2, 4, 3]),
            (16, [&[0, 9, 8][..], b"http/1.1"].concat()),
            (43, vec![4, 3, 4, 3, 3]),
        ],
    )
}

#[test]
fn a_hello_is_read_without_its_dummies() {
    let offer = Offer::read(&modern()).unwrap();
    assert_eq!(offer.sni.as_deref(), Some("home"));
    assert_eq!(offer.versions, ["TLS 1.3", "TLS 1.2"]);
    assert_eq!(offer.suites, ["TLS13_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]);
    assert_eq!(offer.groups.as_deref(), Some(&["secp256r1".to_owned()][..]));
    assert_eq!(offer.signatures.as_deref(), Some(&["ECDSA_NISTP256_SHA256".to_owned()][..]));
    assert_eq!(offer.alpn, ["http/1.1"]);
}

#[test]
fn an_old_hello_says_its_one_version() {
    let offer = Offer::read(&hello(0x0301, &[0x002F], &[])).unwrap();
    assert_eq!(offer.versions, ["TLS 1.0"]);
    assert_eq!(offer.suites, ["TLS_RSA_WITH_AES_128_CBC_SHA"]);
    assert_eq!((offer.signatures, offer.groups, offer.sni), (None, None, None));
}

#[test]
fn a_hello_in_several_records_is_put_together() {
    let whole = modern();
    let message = &whole[5..];
    let (one, two) = message.split_at(20);
    assert_eq!(Offer::read(&[record(one), record(two)].concat()), Offer::read(&whole));
}

#[test]
fn a_name_cannot_drive_a_terminal() {
    let name = [&[0, 7, 0, 0, 4][..], b"a\x1b[2"].concat();
    let offer = Offer::read(&hello(0x0303, &[0x1301], &[(0, name)])).unwrap();
    assert_eq!(offer.sni.as_deref(), Some("a\u{fffd}[2"));
}

proptest! {
    #[test]
    fn a_part_of_a_hello_never_says_more_than_the_whole(end in 0..200_usize) {
        let whole = modern();
        let full = Offer::read(&whole).unwrap();
        if let Some(part) = Offer::read(&whole[..end.min(whole.len())]) {
            prop_assert!(full.suites.starts_with(&part.suites));
            prop_assert!(part.sni.is_none() || part.sni == full.sni);
        }
    }

    #[test]
    fn any_bytes_are_survived(mut bytes: Vec<u8>) {
        Offer::read(&bytes);
        bytes.splice(0..0, [22, 3, 1, 0, 200, 1, 0, 0, 180, 3, 3]);
        Offer::read(&bytes);
    }
}
