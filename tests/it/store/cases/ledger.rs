//! The ledger as a whole, and the store's end.

use homeport::store::{StoreError, Write, audit};

use super::{at, device, draft, flood, make};
use crate::store::Base;

pub(crate) async fn a_sound_ledger_has_no_faults(base: Base) {
    let store = base.open().await;
    assert_eq!(audit::check(store.read(), &mut |_| ()).await.unwrap().entries, 0);
    for one in flood(&store, 20) {
        one.await.unwrap().unwrap();
    }
    let a = device("a", "A");
    make(&store, &[&a]).await;
    store.write(Write::Enqueue(Box::new(draft("c", &a, &a, at(0))))).await.unwrap();
    super::queue::lease(&store, &a, at(1)).await.lease.unwrap();
    store.write(Write::Forget(a.names.id)).await.unwrap();
    let mut seen = 0;
    let findings = audit::check(store.read(), &mut |entries| seen = entries).await.unwrap();
    assert_eq!((findings.entries, findings.is_sound(), seen), (21, true, 21));
    store.close().await;
}

pub(crate) async fn a_closed_store_takes_nothing(base: Base) {
    let store = base.open().await;
    let waiting = flood(&store, 20);
    store.close().await;
    store.close().await;
    let mut stored = 0;
    for one in waiting {
        match one.await.unwrap() {
            Ok(_) => stored += 1,
            Err(error) => assert_eq!(error, StoreError::Closed),
        }
    }
    let late = store.write(Write::Device(Box::new(device("z", "Z")))).await;
    assert_eq!(late.unwrap_err(), StoreError::Closed);
    let store = base.open().await;
    assert_eq!(store.read().stats().await.unwrap().messages, stored);
    store.close().await;
}
