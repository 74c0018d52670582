//! Users, sessions and tokens.

use homeport::model::{
    Admission, Credential, DeviceId, Origin, Refresh, Role, Sees, Session, Standing, Token, User, UserId,
};
use homeport::store::{Outcome, Renewal, Renewed, SESSIONS_MAX, Store, StoreError, UserWrite, Write};

use super::at;
use crate::store::Base;

fn credential(id: &str, name: &str, role: Role) -> Credential {
    Credential {
        user: User { id: UserId::new(id), name: name.to_owned(), role, sees: Sees::House, created: at(0) },
        password_hash: "$argon2id$…".to_owned(),
    }
}

/// The session whose secrets are all made of one byte.
fn session(user: &str, secret: u8) -> (Session, Admission) {
    let session = Session {
        id: format!("s{secret}"),
        user: UserId::new(user),
        created: at(0),
        last_used: at(0),
        expires: at(60),
        origin: Origin { peer: "192.0.2.1".to_owned(), agent: "curl".to_owned() },
        refresh: Some(Refresh { family_hash: [secret; 32], secret_hash: [100; 32], expires: at(60) }),
    };
    (session, Admission { secret_hash: [secret; 32], expires: at(30) })
}

fn open(user: &str, secret: u8) -> UserWrite {
    let (session, admission) = session(user, secret);
    UserWrite::OpenSession(session, admission)
}

/// Shows a refresh token of the family of `secret`, and gets the one after it.
fn renewal(secret: u8, shown: u8, time: i64) -> UserWrite {
    UserWrite::Renew(Renewal {
        family_hash: [secret; 32],
        shown_hash: [shown; 32],
        at: at(time),
        origin: Origin { peer: "192.0.2.2".to_owned(), agent: "wget".to_owned() },
        secret_hash: [shown + 1; 32],
        refresh_expires: at(time + 60),
        admission: Admission { secret_hash: [shown + 101; 32], expires: at(time + 30) },
    })
}

async fn renew(store: &Store, secret: u8, shown: u8, time: i64) -> Renewed {
    match store.write(Write::User(Box::new(renewal(secret, shown, time)))).await.unwrap() {
        Outcome::Renewed(renewed) => renewed,
        other => panic!("{other:?}"),
    }
}

async fn write(store: &Store, write: UserWrite) -> Result<(), StoreError> {
    store.write(Write::User(Box::new(write))).await.map(|_| ())
}

pub(crate) async fn users_are_unique_whatever_the_letter_case(base: Base) {
    let store = base.open().await;
    write(&store, UserWrite::Add(credential("1", "Mira", Role::Admin))).await.unwrap();
    let taken = write(&store, UserWrite::Add(credential("2", "mIRA", Role::Viewer))).await.unwrap_err();
    assert!(matches!(taken, StoreError::Conflict(_)), "{taken}");
    write(&store, UserWrite::Add(credential("3", "bo", Role::Viewer))).await.unwrap();
    assert_eq!(store.read().users().await.unwrap().len(), 2);
    let found = store.read().credential("MIRA".to_owned()).await.unwrap();
    assert_eq!(found, Some(credential("1", "Mira", Role::Admin)));
    write(&store, UserWrite::Sees { user: UserId::new("3"), sees: Sees::Own }).await.unwrap();
    let users = store.read().users().await.unwrap();
    assert_eq!(users.iter().map(|user| user.sees).collect::<Vec<_>>(), [Sees::Own, Sees::House]);
    let nobody = write(&store, UserWrite::Sees { user: UserId::new("9"), sees: Sees::Own }).await;
    assert_eq!(nobody, Err(StoreError::NotFound("user")));
    assert_eq!(store.read().credential("nobody".to_owned()).await.unwrap(), None);
    store.close().await;
}

pub(crate) async fn sessions_open_and_end(base: Base) {
    let store = base.open().await;
    let who = credential("1", "mira", Role::Admin);
    write(&store, UserWrite::Add(who.clone())).await.unwrap();
    assert!(write(&store, open("nobody", 9)).await.is_err());
    for secret in 1..=4 {
        write(&store, open("1", secret)).await.unwrap();
    }
    let is_there = async |secret: u8| store.read().admission([secret; 32]).await.unwrap().is_some();
    let (one, admission) = session("1", 1);
    assert_eq!(store.read().admission([1; 32]).await.unwrap(), Some((admission, one, who.user)));
    let close = || UserWrite::CloseSession("s1".to_owned());
    write(&store, close()).await.unwrap();
    write(&store, close()).await.unwrap();
    assert!(!is_there(1).await && is_there(2).await);
    let origin = Origin { peer: "::1".to_owned(), agent: String::new() };
    let touch = UserWrite::TouchSession { id: "s2".to_owned(), at: at(7), origin: origin.clone() };
    write(&store, touch).await.unwrap();
    let listed = store.read().sessions(Some(UserId::new("1"))).await.unwrap();
    assert_eq!(listed.iter().map(|session| session.id.as_str()).collect::<Vec<_>>(), ["s2", "s4", "s3"]);
    assert_eq!((listed[0].last_used, &listed[0].origin), (at(7), &origin));
    assert_eq!(store.read().sessions(Some(UserId::new("2"))).await.unwrap(), []);

    let standing =
        store.read().standing(vec!["s1".to_owned(), "s2".to_owned(), "t".to_owned()]).await.unwrap();
    let (id, role, sees) = ("s2".to_owned(), Role::Admin, Sees::House);
    assert_eq!(standing, [Standing { id, role, sees }]);

    let but = Some("s3".to_owned());
    write(&store, UserWrite::CloseSessions { user: UserId::new("1"), but }).await.unwrap();
    assert!(!is_there(2).await && is_there(3).await && !is_there(4).await);
    store.write(Write::Sweep { at: at(30), attempts_max: 3 }).await.unwrap();
    assert!(!is_there(3).await, "what lets its holder in ends by itself");
    assert_eq!(store.read().sessions(None).await.unwrap().len(), 1);
    store.write(Write::Sweep { at: at(60), attempts_max: 3 }).await.unwrap();
    assert_eq!(store.read().sessions(None).await.unwrap(), []);

    for secret in [5, 6] {
        write(&store, open("1", secret)).await.unwrap();
    }
    let but = Some("s6".to_owned());
    let password = UserWrite::Password { user: UserId::new("1"), password_hash: "new".to_owned(), but };
    write(&store, password).await.unwrap();
    assert!(!is_there(5).await && is_there(6).await, "a new password ends the other sessions");
    let found = store.read().credential("mira".to_owned()).await.unwrap().unwrap();
    assert_eq!(found.password_hash, "new");
    store.close().await;
}

pub(crate) async fn a_session_is_renewed_by_its_newest_token_alone(base: Base) {
    let store = base.open().await;
    write(&store, UserWrite::Add(credential("1", "mira", Role::Admin))).await.unwrap();
    for secret in [1, 2, 3] {
        write(&store, open("1", secret)).await.unwrap();
    }
    let is_there = async |secret: u8| store.read().admission([secret; 32]).await.unwrap().is_some();
    let done = |id: &str| Renewed::Done(id.to_owned());
    assert_eq!(renew(&store, 1, 100, 10).await, done("s1"));
    assert_eq!(renew(&store, 1, 101, 20).await, done("s1"));
    assert_eq!((is_there(1).await, is_there(201).await, is_there(202).await), (false, true, true));
    let (admission, session, _) = store.read().admission([202; 32]).await.unwrap().unwrap();
    assert_eq!((admission.expires, session.expires, session.last_used), (at(50), at(80), at(20)));
    assert_eq!(session.origin.agent, "wget");
    let newest = Refresh { family_hash: [1; 32], secret_hash: [102; 32], expires: at(80) };
    assert_eq!(session.refresh, Some(newest));

    assert_eq!(renew(&store, 1, 101, 21).await, Renewed::Reused);
    assert_eq!(renew(&store, 1, 102, 21).await, Renewed::Reused, "all of it has ended");
    assert_eq!((is_there(201).await, is_there(202).await), (false, false));
    assert_eq!(store.read().standing(vec!["s1".to_owned()]).await.unwrap(), []);
    assert_eq!(store.read().sessions(None).await.unwrap().len(), 2);
    assert_eq!(renew(&store, 9, 100, 21).await, Renewed::Ended, "of a family that nobody has");
    assert_eq!(renew(&store, 2, 100, 60).await, Renewed::Ended, "past its end");

    // At a time: one wins, and what comes after it ends the family.
    let tries = (0..8).map(|_| store.write(Write::User(Box::new(renewal(3, 100, 30)))));
    let mut answers = Vec::new();
    for answer in tries.collect::<Vec<_>>() {
        let Outcome::Renewed(renewed) = answer.await.unwrap() else { panic!("another outcome") };
        answers.push(renewed);
    }
    assert_eq!(answers.iter().filter(|answer| **answer == done("s3")).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == Renewed::Reused).count(), 7, "{answers:?}");
    assert!(!is_there(201).await);
    store.close().await;
}

pub(crate) async fn a_user_has_so_many_sessions(base: Base) {
    let store = base.open().await;
    write(&store, UserWrite::Add(credential("1", "mira", Role::Admin))).await.unwrap();
    let most = u8::try_from(SESSIONS_MAX).unwrap();
    for secret in 0..=most {
        let (session, admission) = session("1", secret);
        let session = Session { last_used: at(i64::from(secret)), ..session };
        write(&store, UserWrite::OpenSession(session, admission)).await.unwrap();
    }
    let sessions = store.read().sessions(None).await.unwrap();
    assert_eq!(sessions.len(), usize::from(most));
    assert!(sessions.iter().all(|session| session.id != "s0"), "the one used longest ago went");
    store.close().await;
}

pub(crate) async fn tokens_are_kept_as_hashes(base: Base) {
    let store = base.open().await;
    let who = credential("1", "mira", Role::Admin);
    write(&store, UserWrite::Add(who.clone())).await.unwrap();
    let mut token = Token {
        id: "t".to_owned(),
        name: "cron".to_owned(),
        secret_hash: [5; 32],
        user: who.user.id.clone(),
        role: Role::Operator,
        devices: Some(vec![DeviceId::new("d1"), DeviceId::new("d2")]),
        created: at(0),
        last_used: None,
        expires: Some(at(100)),
    };
    write(&store, UserWrite::AddToken(token.clone())).await.unwrap();
    write(&store, UserWrite::TouchToken("t".to_owned(), at(7))).await.unwrap();
    token.last_used = Some(at(7));
    assert_eq!(store.read().token([5; 32]).await.unwrap(), Some((token.clone(), who.user)));
    assert_eq!(store.read().tokens(None).await.unwrap(), [token.clone()]);
    assert_eq!(store.read().tokens(Some(UserId::new("2"))).await.unwrap(), []);
    write(&store, UserWrite::RevokeToken("t".to_owned())).await.unwrap();
    let again = write(&store, UserWrite::RevokeToken("t".to_owned())).await;
    assert_eq!(again, Err(StoreError::NotFound("token")));
    assert_eq!(store.read().token([5; 32]).await.unwrap(), None);
    store.close().await;
}

pub(crate) async fn the_last_administrator_stays(base: Base) {
    let store = base.open().await;
    write(&store, UserWrite::Add(credential("1", "mira", Role::Admin))).await.unwrap();
    write(&store, UserWrite::Add(credential("2", "bo", Role::Viewer))).await.unwrap();
    let set = |id: &str, role| UserWrite::Role { user: UserId::new(id), role };
    for refused in [set("1", Role::Viewer), UserWrite::Remove(UserId::new("1"))] {
        assert!(matches!(write(&store, refused).await, Err(StoreError::Refused(_))));
    }
    assert_eq!(write(&store, set("3", Role::Admin)).await, Err(StoreError::NotFound("user")));
    write(&store, set("2", Role::Admin)).await.unwrap();
    write(&store, open("1", 1)).await.unwrap();
    write(&store, UserWrite::Remove(UserId::new("1"))).await.unwrap();
    assert_eq!(store.read().admission([1; 32]).await.unwrap(), None);
    assert_eq!(store.read().users().await.unwrap()[0].role, Role::Admin);
    store.close().await;
}
