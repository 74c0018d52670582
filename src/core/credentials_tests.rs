//! Tests of `credentials`: over a real store, by a clock that is turned.

use super::super::tests::Bench;
use super::super::{Claim, HubSettings, UnknownPolicy};
use super::*;

#[tokio::test]
async fn keys_and_revocations_reach_the_other_servers_of_a_store() {
    let bench = Bench::new(HubSettings { unknown: UnknownPolicy::Accept, ..HubSettings::default() }).await;
    let device = bench
        .hub
        .introduce(Claim { family: &FamilyName::new("kin"), address: "7", parent: None })
        .await
        .unwrap();
    let id = device.names.id;
    let other = bench.beside().await;
    let made = bench.hub.rotate_key(&id, Some(" vendor key ")).await.unwrap();
    assert_eq!(made.expose_secret(), "vendor key");
    let material = Material {
        device: id.clone(),
        cert_pem: "cert".into(),
        key_pem: None,
        root_pem: "root".into(),
        fingerprint: Fingerprint([1; 32]),
        public_key: Fingerprint([2; 32]),
        issued: bench.hub.now(),
        not_after: bench.hub.now(),
        earlier: vec![Fingerprint([3; 32])],
    };
    assert!(bench.hub.keep_material(&material, true).await.unwrap());
    assert!(!bench.hub.keep_material(&material, true).await.unwrap(), "somebody was faster");
    let ended = bench.hub.revoke(&id, "user:test").await.unwrap();
    assert_eq!(ended, [Fingerprint([1; 32]), Fingerprint([3; 32])]);
    assert_eq!(bench.hub.revoke(&id, "user:test").await.unwrap(), [], "there is nothing left");
    assert_eq!(bench.hub.material(&id).await.unwrap(), None);
    // Whoever starts later knows, also when the device is gone.
    let later = bench.beside().await;
    assert_eq!(later.key_of(&id).unwrap().key, "vendor key");
    bench.hub.forget(&id).await.unwrap();
    let last = bench.beside().await;
    assert!(last.key_of(&id).is_none() && last.is_revoked(&Fingerprint([3; 32])));
    // Whoever ran meanwhile learns of it within a minute.
    assert!(!other.is_revoked(&Fingerprint([1; 32])));
    bench.pass(READ_EVERY);
    other.sweep().await.unwrap();
    assert!(other.is_revoked(&Fingerprint([1; 32])));
}

#[tokio::test]
async fn the_spelling_of_a_key_is_remembered_and_never_brings_an_old_key_back() {
    let bench = Bench::new(HubSettings { unknown: UnknownPolicy::Accept, ..HubSettings::default() }).await;
    let device = bench
        .hub
        .introduce(Claim { family: &FamilyName::new("kin"), address: "7", parent: None })
        .await
        .unwrap();
    let id = device.names.id;
    let first = bench.hub.key_or_new(&id).await.unwrap();
    assert_eq!(bench.hub.key_or_new(&id).await.unwrap(), first);
    bench.hub.key_held(&first, KeySpelling::Hex).await.unwrap();
    assert_eq!(bench.hub.key_of(&id).unwrap().held, Some(KeySpelling::Hex));
    bench.pass(Duration::from_secs(1));
    bench.hub.rotate_key(&id, Some("another")).await.unwrap();
    bench.hub.key_held(&first, KeySpelling::Text).await.unwrap();
    let now = bench.beside().await.key_of(&id).unwrap();
    assert_eq!((now.key.as_str(), now.held), ("another", None));
    for bad in ["", " ", "a\nb", &"x".repeat(257)] {
        assert!(matches!(bench.hub.rotate_key(&id, Some(bad)).await, Err(HubError::Invalid { .. })));
    }
    assert!(!format!("{now:?}").contains("another"), "{now:?}");
}
