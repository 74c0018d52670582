//! Tests of `device_tokens`: over a real store, by a clock that is turned.

use std::net::Ipv4Addr;

use super::super::tests::Bench;
use super::super::{Claim, HubSettings, UnknownPolicy};
use super::*;
use crate::model::FamilyName;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const BY: &str = "user:test";

async fn bench() -> (Bench, DeviceId) {
    let bench = Bench::new(HubSettings { unknown: UnknownPolicy::Accept, ..HubSettings::default() }).await;
    let claim = Claim { family: &FamilyName::new("kin"), address: "7", parent: None };
    let id = bench.hub.introduce(claim).await.unwrap().names.id;
    (bench, id)
}

fn shown(hub: &Hub, token: &SecretString) -> Result<DeviceId, TokenFault> {
    hub.present_device_token(token.expose_secret(), PEER).map(|pass| pass.device)
}

#[tokio::test]
async fn a_token_is_32_letters_and_digits_that_only_its_hash_is_kept_of() {
    let (bench, id) = bench().await;
    let token = bench.hub.issue_device_token(&id, BY).await.unwrap();
    let text = token.expose_secret();
    let letters = text.strip_prefix("dt_").unwrap();
    assert!(letters.len() == 32 && letters.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
    assert_eq!(shown(&bench.hub, &token), Ok(id.clone()));
    for wrong in ["", "dt_", &text[..34], &format!("{text}x"), &text.to_uppercase(), "hp_1", "dt_é"] {
        assert_eq!(bench.hub.present_device_token(wrong, PEER).unwrap_err(), TokenFault::Unknown, "{wrong}");
    }
    let kept: Vec<Issued> = bench.hub.kept_since(Timestamp::from_micros(0)).await.unwrap();
    assert!(!serde_json::to_string(&kept).unwrap().contains(letters));
    // It is none of a person's, and outlives a restart.
    assert_eq!(bench.hub.who(text).await.unwrap(), None);
    assert_eq!(shown(&bench.beside().await, &token), Ok(id));
}

#[tokio::test]
async fn a_replaced_token_is_good_for_its_grace_and_never_longer() {
    let (bench, id) = bench().await;
    let first = bench.hub.issue_device_token(&id, BY).await.unwrap();
    let minute = Duration::from_mins(1);
    let second = bench.hub.rotate_device_token(&id, minute, BY).await.unwrap();
    // A second rotation does not put the first one's end off.
    let third = bench.hub.rotate_device_token(&id, minute * 10, BY).await.unwrap();
    for token in [&first, &second, &third] {
        assert_eq!(shown(&bench.hub, token), Ok(id.clone()));
    }
    bench.pass(minute);
    let ended = Err(TokenFault::Ended { device: id.clone() });
    assert_eq!(shown(&bench.hub, &first), ended);
    assert_eq!(shown(&bench.hub, &second), Ok(id.clone()));
    let fourth = bench.hub.rotate_device_token(&id, Duration::ZERO, BY).await.unwrap();
    assert_eq!((shown(&bench.hub, &second), shown(&bench.hub, &third)), (ended.clone(), ended.clone()));
    let restarted = bench.beside().await;
    assert_eq!((shown(&restarted, &second), shown(&restarted, &fourth)), (ended, Ok(id.clone())));
    let long = bench.hub.rotate_device_token(&id, GRACE_MAX + minute, BY).await;
    assert!(matches!(long, Err(HubError::Invalid { field: "grace_s", .. })));
}

#[tokio::test]
async fn one_of_several_is_revoked_or_all_and_forgetting_the_device_ends_them() {
    let (bench, id) = bench().await;
    let first = bench.hub.issue_device_token(&id, BY).await.unwrap();
    bench.pass(Duration::from_secs(1));
    let second = bench.hub.issue_device_token(&id, BY).await.unwrap();
    let listed = bench.hub.device_tokens(&id);
    assert_eq!(listed.len(), 2);
    assert_eq!(bench.hub.revoke_device_tokens(&id, Some(&listed[0].id), BY).await.unwrap(), 1);
    let ended = Err(TokenFault::Ended { device: id.clone() });
    assert_eq!((shown(&bench.hub, &second), shown(&bench.hub, &first)), (ended.clone(), Ok(id.clone())));
    bench.hub.forget(&id).await.unwrap();
    assert_eq!(shown(&bench.hub, &first), ended);
    assert_eq!(shown(&bench.beside().await, &first), ended, "also after a restart");
    // What ended long ago is forgotten.
    bench.pass(REMEMBERED_FOR + Duration::from_secs(1));
    bench.hub.sweep().await.unwrap();
    assert_eq!(shown(&bench.hub, &first), Err(TokenFault::Unknown));
    assert_eq!(shown(&bench.beside().await, &first), Err(TokenFault::Unknown));
}

#[tokio::test]
async fn a_device_has_so_many_at_a_time() {
    let (bench, id) = bench().await;
    for _ in 0..TOKENS_MAX {
        bench.hub.issue_device_token(&id, BY).await.unwrap();
    }
    assert!(matches!(bench.hub.issue_device_token(&id, BY).await, Err(HubError::Conflict { .. })));
    bench.hub.rotate_device_token(&id, Duration::ZERO, BY).await.unwrap();
    assert_eq!(bench.hub.device_tokens(&id).len(), 1);
    let gone = bench.hub.issue_device_token(&DeviceId::random(), BY).await;
    assert!(matches!(gone, Err(HubError::NotFound("device"))));
}

#[tokio::test]
async fn the_other_servers_of_a_store_learn_of_every_change() {
    let (bench, id) = bench().await;
    let other = bench.beside().await;
    // So is a device that was made there.
    let made = bench.hub.create(&FamilyName::new("kin"), "8", None).await.unwrap().names.id;
    let its = bench.hub.issue_device_token(&made, BY).await.unwrap();
    other.follow_device_tokens().await.unwrap();
    assert_eq!(shown(&other, &its), Ok(made));
    let token = bench.hub.issue_device_token(&id, BY).await.unwrap();
    other.follow_device_tokens().await.unwrap();
    let pass = other.present_device_token(token.expose_secret(), PEER).unwrap();
    // A link that is open at the other server ends when this one revokes.
    let link = {
        let other = other.clone();
        tokio::spawn(async move { other.device_token_ended(&pass).await })
    };
    // Both change tokens at the same time; nothing that ended comes back.
    assert_eq!(bench.hub.revoke_device_tokens(&id, None, BY).await.unwrap(), 1);
    other.rotate_device_token(&id, Duration::from_mins(5), BY).await.unwrap();
    assert!(shown(&other, &token).is_err(), "a change reads what others changed first");
    link.await.unwrap();
    assert!(shown(&bench.beside().await, &token).is_err());
    bench.hub.follow_device_tokens().await.unwrap();
    assert_eq!(bench.hub.device_tokens(&id), other.device_tokens(&id));
}

#[tokio::test]
async fn when_and_from_where_a_token_was_shown_is_kept_now_and_then() {
    let (bench, id) = bench().await;
    let token = bench.hub.issue_device_token(&id, BY).await.unwrap();
    assert_eq!(bench.hub.device_tokens(&id)[0].last_used, None);
    shown(&bench.hub, &token).unwrap();
    let first = bench.hub.now();
    bench.hub.sweep().await.unwrap();
    bench.pass(Duration::from_mins(2));
    shown(&bench.hub, &token).unwrap();
    bench.hub.sweep().await.unwrap();
    assert_eq!(bench.hub.device_tokens(&id)[0].last_used, Some(bench.hub.now()));
    let kept = bench.beside().await.device_tokens(&id);
    assert_eq!(
        (kept[0].last_used, kept[0].last_peer),
        (Some(first), Some(PEER)),
        "no write for each message"
    );
    assert_eq!(kept[0].by, BY);
}
