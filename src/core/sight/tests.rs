//! Tests of `sight`: over a real store, by a clock that is turned.

use std::time::Duration;

use secrecy::SecretString;

use super::super::tests::Bench;
use super::super::{How, HubSettings};
use super::*;
use crate::model::{FamilyName, User};

const BY: &str = "user:test";

async fn user(hub: &Hub, name: &str, role: Role, sees: Sees) -> User {
    let made = hub.add_user(name, SecretString::from("correct horse"), role).await.unwrap();
    hub.set_sees(&made.id, sees).await.unwrap();
    User { sees, ..made }
}

fn caller(user: &User, role: Role, devices: Option<&[DeviceId]>) -> Caller {
    let devices = devices.map(Arc::from);
    Caller { user: user.clone(), role, devices, how: How::Token { id: "test".to_owned(), expires: None } }
}

async fn made(hub: &Hub, name: &str, owner: Option<&User>) -> Result<DeviceId, HubError> {
    let family = FamilyName::new("kin");
    hub.create_for(&family, &format!("{name}-{}", uuid::Uuid::new_v4().simple()), Some(name), owner, BY)
        .await
        .map(|device| device.names.id)
}

#[tokio::test]
async fn what_one_may_do_is_a_table_of_cases() {
    let bench = Bench::new(HubSettings::default()).await;
    let hub = &bench.hub;
    let olga = user(hub, "olga", Role::Operator, Sees::Own).await;
    let vera = user(hub, "vera", Role::Operator, Sees::Own).await;
    let house = user(hub, "maria", Role::Operator, Sees::House).await;
    let admin = user(hub, "anna", Role::Admin, Sees::Own).await;
    let own = made(hub, "own", Some(&olga)).await.unwrap();
    let hall = made(hub, "hall", None).await.unwrap();
    hub.share_device(&own, &vera, Some(Share::Editor), BY).await.unwrap();
    hub.share_device(&hall, &vera, Some(Share::Viewer), BY).await.unwrap();
    let list = [own.clone()];
    for (who, role, devices, of_own, of_hall) in [
        (&olga, Role::Operator, None, Level::Own, Level::Nothing),
        (&olga, Role::Viewer, None, Level::View, Level::Nothing),
        (&vera, Role::Operator, None, Level::Edit, Level::View),
        (&vera, Role::Viewer, None, Level::View, Level::View),
        (&house, Role::Operator, None, Level::Nothing, Level::Own),
        (&house, Role::Viewer, None, Level::Nothing, Level::View),
        (&house, Role::Operator, Some(&list[..]), Level::Nothing, Level::Nothing),
        (&admin, Role::Admin, None, Level::Own, Level::Own),
        (&admin, Role::Viewer, None, Level::View, Level::View),
        (&admin, Role::Admin, Some(&list[..]), Level::Own, Level::Nothing),
    ] {
        let sight = hub.sight(&caller(who, role, devices));
        let found = (sight.level(&own), sight.level(&hall));
        assert_eq!(found, (of_own, of_hall), "{} as {role}", who.name);
        for (device, level) in [(&own, of_own), (&hall, of_hall)] {
            assert_eq!(sight.scope().holds(Some(device)), level > Level::Nothing, "{} as {role}", who.name);
        }
        let sees_house = devices.is_none() && (who.name == "maria" || who.name == "anna");
        assert_eq!((sight.house(), sight.scope().holds(None)), (sees_house, sees_house), "{}", who.name);
        assert_eq!(sight.whole(), who.name == "anna" && devices.is_none());
    }
    let local = hub.sight(&Caller::local());
    assert!(local.whole() && local.level(&own) == Level::Own);
}

#[tokio::test]
async fn other_servers_hear_and_keep_names_apart() {
    let bench = Bench::new(HubSettings::default()).await;
    let (one, other) = (&bench.hub, bench.beside().await);
    let olga = user(one, "olga", Role::Operator, Sees::Own).await;
    let vera = user(one, "vera", Role::Operator, Sees::Own).await;
    let sight = other.sight(&caller(&vera, Role::Operator, None));
    let device = made(one, "Boiler", Some(&olga)).await.unwrap();
    one.share_device(&device, &vera, Some(Share::Viewer), BY).await.unwrap();
    let group = one.make_group("Cellar", Some(&olga), vec![device.clone()], BY).await.unwrap();
    one.share_group(&group.id, &vera, Some(Share::Editor), BY).await.unwrap();
    other.follow_sight().await.unwrap();
    other.refresh().await.unwrap();
    assert_eq!(sight.level(&device), Level::Edit);
    // What ends is heard of as well.
    one.share_group(&group.id, &vera, None, BY).await.unwrap();
    other.follow_sight().await.unwrap();
    assert_eq!(sight.level(&device), Level::View);
    one.remove_group(&group.id).await.unwrap();
    one.give_device(&device, None, BY).await.unwrap();
    other.follow_sight().await.unwrap();
    assert_eq!((sight.level(&device), sight.groups().len()), (Level::Nothing, 0));
    // A name that the other server has not heard of is taken all the same.
    made(one, "Kettle", Some(&olga)).await.unwrap();
    assert!(matches!(
        made(&other, "KETTLE", Some(&olga)).await,
        Err(HubError::Conflict { field: "name", .. })
    ));
    bench.pass(Duration::from_mins(5));
    assert!(made(&other, "kettle", Some(&olga)).await.is_err(), "it is looked for before it is taken over");
    made(&other, "Kettle", Some(&vera)).await.unwrap();
}

#[tokio::test]
async fn a_name_that_a_crash_left_behind_is_free_after_a_while() {
    let bench = Bench::new(HubSettings::default()).await;
    let hub = &bench.hub;
    let olga = user(hub, "olga", Role::Operator, Sees::Own).await;
    let mut batch = super::super::records::Batch::new(hub.now());
    let nobody = names::Bearer::Device(DeviceId::random());
    hub.claim_name(&mut batch, Some(&olga.id), "Boiler", nobody).await.unwrap();
    assert!(hub.keep_together(batch).await.unwrap());
    assert!(made(hub, "boiler", Some(&olga)).await.is_err(), "it may be about to be made");
    bench.pass(Duration::from_mins(2));
    made(hub, "boiler", Some(&olga)).await.unwrap();
    bench.pass(Duration::from_mins(2));
    assert!(made(hub, "Boiler", Some(&olga)).await.is_err());
}

#[tokio::test]
async fn what_a_removed_user_had_is_the_house_s_also_after_a_crash() {
    let bench = Bench::new(HubSettings::default()).await;
    let hub = &bench.hub;
    let olga = user(hub, "olga", Role::Operator, Sees::Own).await;
    let vera = user(hub, "vera", Role::Operator, Sees::Own).await;
    let device = made(hub, "Boiler", Some(&olga)).await.unwrap();
    let hall = made(hub, "Hall", None).await.unwrap();
    hub.share_device(&hall, &olga, Some(Share::Editor), BY).await.unwrap();
    hub.make_group("Cellar", Some(&olga), vec![device.clone()], BY).await.unwrap();
    let veras = made(hub, "Boiler", Some(&vera)).await.unwrap();
    // As if the server had stopped between the two.
    let remove = crate::store::UserWrite::Remove(olga.id.clone());
    hub.write(crate::store::Write::User(Box::new(remove))).await.unwrap();
    let after = bench.beside().await;
    assert_eq!((after.owner(&device), after.access(&hall).shares), (None, Vec::new()));
    assert_eq!(after.owner(&veras).map(|owner| owner.name).as_deref(), Some("vera"));
    assert!(after.sight(&Caller::local()).groups().is_empty());
    after.remove_user(&vera.id).await.unwrap();
    assert_eq!(after.owner(&veras), None);
}
