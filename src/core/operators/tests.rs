//! People and tokens, over a real SQLite store.

use std::time::Duration;

use super::*;
use crate::core::tests::Bench;
use crate::core::{HubSettings, Visitor};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

async fn hub() -> Bench {
    Bench::new(HubSettings::default()).await
}

fn visitor() -> Visitor {
    Visitor::at(PEER)
}

fn word(text: &str) -> SecretString {
    SecretString::from(text)
}

#[tokio::test]
async fn the_first_administrator_is_made_once_and_can_sign_in() {
    let bench = hub().await;
    let (name, password) = bench.hub.first_admin().await.unwrap().unwrap();
    assert_eq!(name, "admin");
    assert!(bench.hub.first_admin().await.unwrap().is_none());
    assert_eq!(format!("{password:?}"), "SecretBox<str>([REDACTED])");
    let opened = bench.hub.login("Admin", &password, &visitor()).await.unwrap();
    assert_eq!(opened.user.role, Role::Admin);
    let caller = bench.hub.who(opened.secret.expose_secret()).await.unwrap().unwrap();
    assert_eq!((caller.by(), caller.role), ("user:admin".to_owned(), Role::Admin));
    bench.hub.logout(opened.secret.expose_secret()).await.unwrap();
    assert_eq!(bench.hub.who(opened.secret.expose_secret()).await.unwrap(), None);
}

#[tokio::test]
async fn wrong_names_and_passwords_get_one_answer_and_then_a_wait() {
    let bench = hub().await;
    bench.hub.first_admin().await.unwrap();
    let mut answers = Vec::new();
    for name in ["admin", "nobody", "", "no such name!", "admin"].iter().cycle().take(11) {
        answers.push(bench.hub.login(name, &word("wrong password"), &visitor()).await.unwrap_err());
    }
    assert!(answers[..10].iter().all(|error| *error == HubError::Unauthorized), "{answers:?}");
    assert!(matches!(answers[10], HubError::TooMany { retry_after_s: 1.. }));
}

#[tokio::test]
async fn a_session_ends_with_its_time_and_with_a_new_password() {
    let bench = hub().await;
    let user = bench.hub.add_user("eve", word("first password"), Role::Viewer).await.unwrap();
    let opened = bench.hub.login("eve", &word("first password"), &visitor()).await.unwrap();
    bench.pass(Duration::from_hours(14 * 24));
    assert_eq!(bench.hub.who(opened.secret.expose_secret()).await.unwrap(), None);

    let mut changes = bench.hub.password_changes();
    let opened = bench.hub.login("eve", &word("first password"), &visitor()).await.unwrap();
    let denied = bench.hub.change_password(&user, &word("wrong"), word("second password"), PEER, None).await;
    assert_eq!(denied, Err(HubError::Unauthorized));
    let (old, new) = (word("first password"), word("second password"));
    bench.hub.change_password(&user, &old, new.clone(), PEER, None).await.unwrap();
    assert_eq!(changes.recv().await.unwrap(), "eve");
    assert_eq!(bench.hub.who(opened.secret.expose_secret()).await.unwrap(), None);
    assert_eq!(bench.hub.login("eve", &old, &visitor()).await.unwrap_err(), HubError::Unauthorized);
    bench.hub.login("eve", &new, &visitor()).await.unwrap();
}

#[tokio::test]
async fn the_first_password_waits_until_it_is_used_or_changed() {
    let bench = hub().await;
    assert!(!bench.hub.awaits_first_entry().await.unwrap(), "there is nobody");
    let (name, password) = bench.hub.first_admin().await.unwrap().unwrap();
    bench.hub.login(&name, &word("wrong password"), &visitor()).await.unwrap_err();
    assert!(bench.hub.awaits_first_entry().await.unwrap());
    bench.hub.login(&name, &password, &visitor()).await.unwrap();
    assert!(!bench.hub.awaits_first_entry().await.unwrap());

    let bench = hub().await;
    bench.hub.first_admin().await.unwrap();
    let user = bench.hub.users().await.unwrap().remove(0);
    bench.hub.passwd(&user.id, word("another one")).await.unwrap();
    assert!(!bench.hub.awaits_first_entry().await.unwrap());

    let bench = hub().await;
    bench.hub.first_admin().await.unwrap();
    bench.hub.add_user("eve", word("first password"), Role::Viewer).await.unwrap();
    assert!(!bench.hub.awaits_first_entry().await.unwrap(), "somebody was in to add another");
}

#[tokio::test]
async fn names_and_passwords_have_rules() {
    let bench = hub().await;
    let long = "x".repeat(65);
    for name in ["ab", "", "a b c", "änne", long.as_str()] {
        let answer = bench.hub.add_user(name, word("long enough"), Role::Viewer).await;
        assert!(matches!(answer, Err(HubError::Invalid { field: "name", .. })), "{name}");
    }
    for password in ["seven77", &"x".repeat(129)] {
        let answer = bench.hub.add_user("eve", word(password), Role::Viewer).await;
        assert!(matches!(answer, Err(HubError::Invalid { field: "password", .. })));
    }
    bench.hub.add_user("Eve-1.x_y", word(&"ü".repeat(128)), Role::Viewer).await.unwrap();
    let twice = bench.hub.add_user("eve-1.X_Y", word("long enough"), Role::Viewer).await;
    assert!(matches!(twice, Err(HubError::Conflict { field: "name", .. })));
    bench.hub.login("eve-1.x_y", &word(&"ü".repeat(128)), &visitor()).await.unwrap();
}

#[tokio::test]
async fn a_token_never_does_more_than_its_user() {
    let bench = hub().await;
    bench.hub.first_admin().await.unwrap();
    let user = bench.hub.add_user("eve", word("long enough"), Role::Operator).await.unwrap();
    let much = bench.hub.create_token(&user.id, "much", Role::Admin, None).await;
    assert!(matches!(much, Err(HubError::Invalid { field: "role", .. })));
    let day = Some(Duration::from_hours(24));
    let (token, secret) = bench.hub.create_token(&user.id, "script", Role::Operator, day).await.unwrap();
    assert!(secret.expose_secret().starts_with("hp_"));
    let caller = bench.hub.who(secret.expose_secret()).await.unwrap().unwrap();
    assert_eq!(caller.role, Role::Operator);
    bench.hub.set_role(&user.id, Role::Viewer).await.unwrap();
    assert_eq!(bench.hub.who(secret.expose_secret()).await.unwrap().unwrap().role, Role::Viewer);
    let listed = bench.hub.tokens(Some(&user.id)).await.unwrap();
    assert_eq!((listed.len(), listed[0].last_used.is_some()), (1, true));
    bench.hub.revoke_token(&token.id).await.unwrap();
    assert_eq!(bench.hub.who(secret.expose_secret()).await.unwrap(), None);

    let (_, secret) = bench.hub.create_token(&user.id, "brief", Role::Viewer, day).await.unwrap();
    bench.pass(Duration::from_hours(24));
    assert_eq!(bench.hub.who(secret.expose_secret()).await.unwrap(), None);
    assert_eq!(bench.hub.who("hp_").await.unwrap(), None);
    assert_eq!(bench.hub.who(&"x".repeat(10_000)).await.unwrap(), None);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let bench = hub().await;
    bench.hub.first_admin().await.unwrap();
    let admin = bench.hub.find_user("ADMIN").await.unwrap();
    assert!(matches!(bench.hub.set_role(&admin.id, Role::Viewer).await, Err(HubError::Conflict { .. })));
    assert!(matches!(bench.hub.remove_user(&admin.id).await, Err(HubError::Conflict { .. })));
    bench.hub.add_user("eve", word("long enough"), Role::Admin).await.unwrap();
    bench.hub.remove_user(&admin.id).await.unwrap();
    assert_eq!(bench.hub.find_user("admin").await, Err(HubError::NotFound("user")));
}
