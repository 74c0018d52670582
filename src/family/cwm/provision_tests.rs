//! Tests of `provision`: who is given material again.

use super::*;
use crate::model::DeviceId;

fn material() -> Material {
    let at = Timestamp::parse("2024-03-01T12:00:00Z").unwrap();
    Material {
        device: DeviceId::new("d"),
        cert_pem: "cert".into(),
        key_pem: Some("key".into()),
        root_pem: "root".into(),
        fingerprint: Fingerprint([1; 32]),
        public_key: Fingerprint([2; 32]),
        issued: at,
        not_after: at.plus(Duration::from_hours(24 * 3650)),
        earlier: vec![Fingerprint([3; 32])],
    }
}

fn admitted(policy: Repeat, hmac: HmacCheck, shown: Option<u8>) -> bool {
    let shown = shown.map(|byte| Fingerprint([byte; 32]));
    admit(policy, &material(), &Asks { requests: None, hmac, shown }).is_ok()
}

#[test]
fn material_is_given_again_as_the_policy_says() {
    assert!(admitted(Repeat::Same, HmacCheck::Absent, None));
    assert!(admitted(Repeat::Proven, HmacCheck::Ok, None));
    assert!(admitted(Repeat::Proven, HmacCheck::Absent, Some(1)));
    assert!(admitted(Repeat::Proven, HmacCheck::Absent, Some(3)), "an earlier one of its own");
    for hmac in [HmacCheck::Bad, HmacCheck::Absent, HmacCheck::NoKey] {
        assert!(!admitted(Repeat::Proven, hmac, None));
        assert!(!admitted(Repeat::Proven, hmac, Some(9)), "somebody else's certificate");
    }
    assert!(!admitted(Repeat::Refuse, HmacCheck::Ok, Some(1)));
}
