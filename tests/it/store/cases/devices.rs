//! Devices.

use homeport::model::{DeviceId, DeviceState, FamilyName};
use homeport::store::{DeviceFilter, StoreError, Write};

use super::{at, device, draft, make, report, store_report, text_reading};
use crate::store::Base;

pub(crate) async fn devices_are_made_changed_and_listed(base: Base) {
    let store = base.open().await;
    let (mut a, mut b) = (device("a", "AA:01"), device("b", "bb:02"));
    make(&store, &[&a]).await;
    b.parent = Some(a.names.id.clone());
    b.last_seen = Some(at(5));
    make(&store, &[&b]).await;
    assert_eq!(store.read().all_devices().await.unwrap(), [a.clone(), b.clone()]);

    "Pump".clone_into(&mut a.names.name);
    a.state = DeviceState::Held;
    make(&store, &[&a]).await;
    let listed = |filter: DeviceFilter| async { store.read().devices(filter).await.unwrap() };
    let all = DeviceFilter { limit: 10, ..DeviceFilter::default() };
    assert_eq!(listed(all.clone()).await, [a.clone(), b.clone()]);
    for q in ["PUM", "aa:"] {
        assert_eq!(listed(DeviceFilter { q: Some(q.to_owned()), ..all.clone() }).await, [a.clone()]);
    }
    assert_eq!(listed(DeviceFilter { q: Some("%".to_owned()), ..all.clone() }).await, []);
    assert_eq!(listed(DeviceFilter { state: Some(DeviceState::Active), ..all.clone() }).await, [b.clone()]);
    assert_eq!(listed(DeviceFilter { family: Some(FamilyName::new("x")), ..all.clone() }).await, []);
    let after = Some((a.names.name.clone(), a.names.id.clone()));
    assert_eq!(listed(DeviceFilter { after, ..all.clone() }).await, [b.clone()]);
    assert_eq!(listed(DeviceFilter { limit: 1, ..all }).await, [a.clone()]);

    // A parent that is forgotten leaves its child.
    store.write(Write::Forget(a.names.id)).await.unwrap();
    b.parent = None;
    assert_eq!(store.read().all_devices().await.unwrap(), [b]);
    store.close().await;
}

pub(crate) async fn an_address_belongs_to_one_device(base: Base) {
    let store = base.open().await;
    make(&store, &[&device("a", "Aa")]).await;
    let refused = store.write(Write::Device(Box::new(device("b", "aA")))).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    let mut other = device("b", "aA");
    other.names.family = FamilyName::new("mcu");
    make(&store, &[&other]).await;
    let mut lost = device("c", "C");
    lost.parent = Some(DeviceId::new("nobody"));
    let refused = store.write(Write::Device(Box::new(lost))).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound(_)), "{refused}");
    store.close().await;
}

pub(crate) async fn forgetting_leaves_the_ledger(base: Base) {
    let store = base.open().await;
    let a = device("a", "A");
    let mut message = report(&a, at(1), "hello");
    message.readings = vec![text_reading("s", "x")];
    message.fingerprint = Some([1; 16]);
    let seq = store_report(&store, message).await.seq;
    store.write(Write::Enqueue(Box::new(draft("c", &a, &a, at(1))))).await.unwrap();
    store.write(Write::Forget(a.names.id.clone())).await.unwrap();
    assert_eq!(store.read().all_devices().await.unwrap(), []);
    assert_eq!(store.read().latest(a.names.id.clone()).await.unwrap(), []);
    assert_eq!(store.read().stats().await.unwrap().queued, 0);
    let kept = store.read().message(seq).await.unwrap().unwrap();
    assert_eq!(kept.device, Some(a.names.clone()));
    let again = store.write(Write::Forget(a.names.id)).await.unwrap_err();
    assert_eq!(again, StoreError::NotFound("device"));
    store.close().await;
}
