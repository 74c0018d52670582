//! Sessions and their secrets, over a real SQLite store and a clock that the tests turn.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::core::HubSettings;
use crate::core::tests::Bench;
use crate::model::Role;

fn visitor() -> Visitor {
    Visitor { peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), agent: "curl/8\r\nX: 1".to_owned() }
}

fn password() -> SecretString {
    SecretString::from("correct horse")
}

/// A hub with a person who has signed in by a script.
async fn signed_in(settings: HubSettings) -> (Bench, User, Pair) {
    let bench = Bench::new(settings).await;
    bench.hub.add_user("maria", password(), Role::Operator).await.unwrap();
    let (user, pair) = bench.hub.sign_in("maria", &password(), &visitor()).await.unwrap();
    (bench, user, pair)
}

async fn is_in(bench: &Bench, secret: &SecretString) -> bool {
    bench.hub.who(secret.expose_secret()).await.unwrap().is_some()
}

fn fault(fault: AccountFault) -> HubError {
    HubError::Account(fault)
}

const fn minutes(minutes: u64, seconds: u64) -> Duration {
    Duration::from_secs(60 * minutes + seconds)
}

#[tokio::test]
async fn an_access_token_is_good_for_half_an_hour_and_a_little() {
    let (bench, _, pair) = signed_in(HubSettings::default()).await;
    assert_eq!((pair.access_life, pair.refresh_life), (minutes(30, 0), Duration::from_hours(14 * 24)));
    bench.pass(minutes(29, 59));
    assert!(is_in(&bench, &pair.access).await);
    bench.pass(minutes(0, 30));
    assert!(is_in(&bench, &pair.access).await, "30:29 is within what clocks may differ");
    bench.pass(minutes(0, 2));
    assert!(!is_in(&bench, &pair.access).await, "30:31");
    let next = bench.hub.renew(&pair.refresh, &visitor()).await.unwrap();
    assert!(is_in(&bench, &next.access).await);
    assert_eq!(next.session, pair.session);
}

#[tokio::test]
async fn the_numbers_of_the_original_can_be_set() {
    let settings = HubSettings { refresh_ttl: minutes(1, 0), ..HubSettings::default() };
    let (bench, _, first) = signed_in(settings).await;
    bench.pass(minutes(0, 59));
    let second = bench.hub.renew(&first.refresh, &visitor()).await.unwrap();
    bench.pass(minutes(0, 59));
    let third = bench.hub.renew(&second.refresh, &visitor()).await.unwrap();
    bench.pass(minutes(1, 0));
    let late = bench.hub.renew(&third.refresh, &visitor()).await.unwrap_err();
    assert_eq!(late, fault(AccountFault::RefreshExpired));
    bench.hub.sweep().await.unwrap();
    assert!(is_in(&bench, &third.access).await, "access goes on when nothing renews it any more");
    bench.pass(minutes(28, 59));
    bench.hub.sweep().await.unwrap();
    assert!(is_in(&bench, &third.access).await, "29:59");
    bench.pass(minutes(0, 32));
    assert!(!is_in(&bench, &third.access).await, "30:31");
    bench.hub.sweep().await.unwrap();
    assert_eq!(bench.hub.sessions(None).await.unwrap(), []);
}

#[tokio::test]
async fn a_refresh_token_that_is_shown_twice_ends_all_of_its_sign_in() {
    let (bench, user, first) = signed_in(HubSettings::default()).await;
    let (_, other) = bench.hub.sign_in("maria", &password(), &visitor()).await.unwrap();
    bench.pass(minutes(1, 0));
    let second = bench.hub.renew(&first.refresh, &visitor()).await.unwrap();
    bench.pass(minutes(1, 0));
    let third = bench.hub.renew(&second.refresh, &visitor()).await.unwrap();
    assert!(is_in(&bench, &second.access).await, "what was given before goes on to its end");
    assert!(!is_in(&bench, &first.access).await, "but not more than one");
    for token in [&first, &third, &second, &first] {
        let answer = bench.hub.renew(&token.refresh, &visitor()).await.unwrap_err();
        assert_eq!(answer, fault(AccountFault::RefreshReused), "the newest too is told why");
    }
    for pair in [&first, &second, &third] {
        assert!(!is_in(&bench, &pair.access).await);
    }
    let left = bench.hub.sessions(Some(&user.id)).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id.as_str()).collect::<Vec<_>>(), [other.session.as_str()]);
    bench.hub.renew(&other.refresh, &visitor()).await.unwrap();
}

#[tokio::test]
async fn of_many_who_show_one_refresh_token_at_a_time_one_gets_a_pair() {
    let (bench, _, pair) = signed_in(HubSettings::default()).await;
    let tries = (0..8).map(|_| {
        let (hub, token) = (bench.hub.clone(), pair.refresh.clone());
        tokio::spawn(async move { hub.renew(&token, &visitor()).await })
    });
    let mut won = Vec::new();
    for answer in tries.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            Ok(pair) => won.push(pair),
            Err(error) => assert_eq!(error, fault(AccountFault::RefreshReused)),
        }
    }
    assert_eq!(won.len(), 1);
    assert!(!is_in(&bench, &won[0].access).await, "the others were reuse");
}

#[tokio::test]
async fn what_is_no_refresh_token_renews_nothing() {
    let (bench, _, pair) = signed_in(HubSettings::default()).await;
    let right = pair.refresh.expose_secret();
    let other_family = format!("rt_{}{}", "A".repeat(32), &right[35..]);
    let umlaut = format!("rt_{}ü{}", "A".repeat(31), "A".repeat(31));
    for wrong in ["", "rt_", &right[..66], &right[3..], pair.access.expose_secret(), &other_family, &umlaut] {
        let answer = bench.hub.renew(&SecretString::from(wrong), &visitor()).await.unwrap_err();
        assert_eq!(answer, fault(AccountFault::RefreshExpired), "{wrong}");
    }
    assert_eq!(bench.hub.who(right).await.unwrap(), None, "it lets nobody in");
    bench.hub.renew(&pair.refresh, &visitor()).await.unwrap();
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let (bench, user, script) = signed_in(HubSettings::default()).await;
    bench.pass(minutes(2, 0));
    let browser = bench.hub.login("maria", &password(), &visitor()).await.unwrap();
    let listed = bench.hub.sessions(Some(&user.id)).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|session| session.id.as_str()).collect();
    assert_eq!(ids, [browser.session.as_str(), script.session.as_str()]);
    assert_eq!(listed[0].origin.peer, "192.0.2.9");
    assert_eq!(listed[0].origin.agent, "curl/8X: 1", "without what drives a terminal");
    assert!(listed.iter().all(|session| !browser.secret.expose_secret().contains(&session.id)));

    let elsewhere = Visitor { peer: IpAddr::V4(Ipv4Addr::LOCALHOST), agent: "x".repeat(999) };
    bench.hub.who_from(script.access.expose_secret(), Some(&elsewhere)).await.unwrap().unwrap();
    let listed = bench.hub.sessions(Some(&user.id)).await.unwrap();
    let touched = listed.iter().find(|session| session.id == script.session).unwrap();
    assert_eq!((touched.last_used, touched.origin.agent.len()), (bench.hub.now(), 200));
    assert_eq!(touched.origin.peer, "127.0.0.1");

    bench.hub.end_session(&script.session).await.unwrap();
    assert!(!is_in(&bench, &script.access).await && is_in(&bench, &browser.secret).await);
    let ended = bench.hub.renew(&script.refresh, &visitor()).await.unwrap_err();
    assert_eq!(ended, fault(AccountFault::RefreshExpired));
    let (_, second) = bench.hub.sign_in("maria", &password(), &visitor()).await.unwrap();
    bench.hub.end_sessions(&user.id, Some(&second.session)).await.unwrap();
    assert!(is_in(&bench, &second.access).await && !is_in(&bench, &browser.secret).await);
    bench.hub.end_sessions(&user.id, None).await.unwrap();
    assert!(!is_in(&bench, &second.access).await);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_no_token() {
    let (bench, user, script) = signed_in(HubSettings::default()).await;
    let browser = bench.hub.login("maria", &password(), &visitor()).await.unwrap();
    let (_, token) = bench.hub.create_token(&user.id, "cron", Role::Viewer, None).await.unwrap();
    let new = SecretString::from("another horse");
    let peer = visitor().peer;
    bench.hub.change_password(&user, &password(), new, peer, Some(&script.session)).await.unwrap();
    assert!(is_in(&bench, &script.access).await, "the one that it was done in");
    assert!(!is_in(&bench, &browser.secret).await);
    assert!(is_in(&bench, &token).await);
}

/// Waits for the end of a caller; fails when it does not come.
async fn ends(hub: &Hub, secret: &SecretString, doing: impl Future<Output = ()>) {
    let caller = hub.who(secret.expose_secret()).await.unwrap().unwrap();
    let wait = tokio::time::timeout(Duration::from_secs(30), hub.ended(&caller));
    let (ended, ()) = tokio::join!(biased; wait, doing);
    assert!(ended.is_ok());
}

#[tokio::test]
async fn whoever_is_in_hears_of_the_end() {
    let (bench, user, pair) = signed_in(HubSettings::default()).await;
    let hub = &bench.hub;
    let (token, secret) = hub.create_token(&user.id, "cron", Role::Viewer, None).await.unwrap();
    ends(hub, &secret, async { hub.revoke_token(&token.id).await.unwrap() }).await;
    ends(hub, &pair.access, async { hub.end_session(&pair.session).await.unwrap() }).await;

    let (_, pair) = hub.sign_in("maria", &password(), &visitor()).await.unwrap();
    ends(hub, &pair.access, async { hub.set_role(&user.id, Role::Viewer).await.unwrap() }).await;
    ends(hub, &pair.access, async {
        hub.renew(&pair.refresh, &visitor()).await.unwrap();
        hub.renew(&pair.refresh, &visitor()).await.unwrap_err();
    })
    .await;
    let (_, pair) = hub.sign_in("maria", &password(), &visitor()).await.unwrap();
    ends(hub, &pair.access, async { bench.pass(minutes(30, 31)) }).await;
    let browser = hub.login("maria", &password(), &visitor()).await.unwrap();
    ends(hub, &browser.secret, async {
        hub.passwd(&user.id, SecretString::from("new password")).await.unwrap();
    })
    .await;

    // One that ended before anybody waited.
    let browser = hub.login("maria", &SecretString::from("new password"), &visitor()).await.unwrap();
    let caller = hub.who(browser.secret.expose_secret()).await.unwrap().unwrap();
    hub.remove_user(&user.id).await.unwrap();
    hub.ended(&caller).await;
}

#[tokio::test]
async fn the_others_stay_and_other_servers_hear_of_the_end() {
    let (bench, _, pair) = signed_in(HubSettings::default()).await;
    let (_, staying) = bench.hub.sign_in("maria", &password(), &visitor()).await.unwrap();
    let beside = bench.beside().await;
    let stays = beside.who(staying.access.expose_secret()).await.unwrap().unwrap();
    let mut stays = Box::pin(beside.ended(&stays));
    assert!(futures_pending(&mut stays).await);
    ends(&beside, &pair.access, async {
        bench.hub.end_session(&pair.session).await.unwrap();
        beside.follow_ends().await.unwrap();
    })
    .await;
    assert!(futures_pending(&mut stays).await);
}

/// Whether a future has not ended after it had time to look around.
async fn futures_pending(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
    tokio::time::timeout(Duration::from_millis(1), future).await.is_err()
}
