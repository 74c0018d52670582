//! Users, sessions and tokens.

use homeport::model::{Credential, DeviceId, Role, Sees, Session, Token, User, UserId};
use homeport::store::{Store, StoreError, UserWrite, Write};

use super::at;
use crate::store::Base;

fn credential(id: &str, name: &str, role: Role) -> Credential {
    Credential {
        user: User { id: UserId::new(id), name: name.to_owned(), role, sees: Sees::House, created: at(0) },
        password_hash: "$argon2id$…".to_owned(),
    }
}

fn session(user: &str, secret: u8) -> Session {
    Session { secret_hash: [secret; 32], user: UserId::new(user), created: at(0), expires: at(60) }
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
    assert!(write(&store, UserWrite::OpenSession(session("nobody", 9))).await.is_err());
    for secret in 1..=3 {
        write(&store, UserWrite::OpenSession(session("1", secret))).await.unwrap();
    }
    let is_there = async |secret: u8| store.read().session([secret; 32]).await.unwrap().is_some();
    assert_eq!(store.read().session([1; 32]).await.unwrap(), Some((session("1", 1), who.user)));
    write(&store, UserWrite::CloseSession([1; 32])).await.unwrap();
    write(&store, UserWrite::CloseSession([1; 32])).await.unwrap();
    assert!(!is_there(1).await && is_there(2).await);
    store.write(Write::Sweep { at: at(59), attempts_max: 3 }).await.unwrap();
    assert!(is_there(2).await);
    store.write(Write::Sweep { at: at(60), attempts_max: 3 }).await.unwrap();
    assert!(!is_there(2).await);
    write(&store, UserWrite::OpenSession(session("1", 4))).await.unwrap();
    let password = UserWrite::Password { user: UserId::new("1"), password_hash: "new".to_owned() };
    write(&store, password).await.unwrap();
    assert!(!is_there(4).await, "a new password ends the sessions");
    let found = store.read().credential("mira".to_owned()).await.unwrap().unwrap();
    assert_eq!(found.password_hash, "new");
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
    write(&store, UserWrite::OpenSession(session("1", 1))).await.unwrap();
    write(&store, UserWrite::Remove(UserId::new("1"))).await.unwrap();
    assert_eq!(store.read().session([1; 32]).await.unwrap(), None);
    assert_eq!(store.read().users().await.unwrap()[0].role, Role::Admin);
    store.close().await;
}
