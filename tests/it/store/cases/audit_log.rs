//! Who did what.

use homeport::model::{AuditEntry, DeviceId, UserId};
use homeport::store::{AuditFilter, Outcome, Prune, Store, Write};

use super::at;
use crate::store::Base;

fn entry(seconds: i64, who: &str, what: &str, device: Option<&str>) -> AuditEntry {
    AuditEntry {
        at: at(seconds),
        who: who.to_owned(),
        user: (who != "mallory").then(|| UserId::new(who)),
        proof: "token".to_owned(),
        token: Some("t1".to_owned()),
        from: "192.0.2.1".to_owned(),
        what: what.to_owned(),
        device: device.map(DeviceId::new),
        target: Some("x\"'; --".to_owned()),
        result: "ok".to_owned(),
    }
}

async fn add(store: &Store, entry: AuditEntry) {
    store.write(Write::Audit(Box::new(entry))).await.unwrap();
}

/// The seconds of what is found, in its order.
async fn found(store: &Store, filter: AuditFilter) -> Vec<i64> {
    let filter = AuditFilter { limit: filter.limit.max(1), ..filter };
    let rows = store.read().audit_log(filter).await.unwrap();
    assert!(rows.windows(2).all(|pair| pair[0].0 > pair[1].0), "{rows:?}");
    rows.into_iter().map(|(_, entry)| entry.at.seconds() - at(0).seconds()).collect()
}

pub(crate) async fn the_audit_log_is_added_to_and_listed(base: Base) {
    let store = base.open().await;
    add(&store, entry(1, "mira", "device.edit", Some("d1"))).await;
    add(&store, entry(2, "bo", "device.edit", Some("d2"))).await;
    add(&store, entry(3, "mira", "auth.login", None)).await;
    add(&store, entry(4, "mallory", "auth.login", None)).await;
    let all = AuditFilter { limit: 10, ..AuditFilter::default() };
    let rows = store.read().audit_log(all.clone()).await.unwrap();
    assert_eq!(rows[0].1, entry(4, "mallory", "auth.login", None));
    assert_eq!(rows[3].1, entry(1, "mira", "device.edit", Some("d1")));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(&store, AuditFilter { who: text("mira"), ..all.clone() }).await, [3, 1]);
    assert_eq!(found(&store, AuditFilter { what: text("device.edit"), ..all.clone() }).await, [2, 1]);
    let both = AuditFilter { who: text("mira"), what: text("device.edit"), ..all.clone() };
    assert_eq!(found(&store, both).await, [1]);
    let device = AuditFilter { device: Some(DeviceId::new("d2")), ..all.clone() };
    assert_eq!(found(&store, device.clone()).await, [2]);
    assert_eq!(found(&store, AuditFilter { who: text("mira"), ..device }).await, [0; 0]);
    let span = AuditFilter { from: Some(at(2)), to: Some(at(4)), ..all.clone() };
    assert_eq!(found(&store, span).await, [3, 2]);
    assert_eq!(found(&store, AuditFilter { limit: 2, ..all.clone() }).await, [4, 3]);
    assert_eq!(found(&store, AuditFilter { before: Some(rows[1].0), ..all }).await, [2, 1]);
    store.close().await;
}

pub(crate) async fn the_audit_log_goes_by_age(base: Base) {
    let store = base.open().await;
    for second in 1..=5 {
        add(&store, entry(second, "mira", "device.edit", None)).await;
    }
    let prune = |limit| Write::Prune(Prune::Audit { before: at(4), limit });
    let Outcome::Pruned(first) = store.write(prune(2)).await.unwrap() else { panic!("not pruned") };
    assert_eq!((first.rows, first.more), (2, true));
    let Outcome::Pruned(last) = store.write(prune(2)).await.unwrap() else { panic!("not pruned") };
    assert_eq!((last.rows, last.more), (1, false));
    let all = AuditFilter { limit: 10, ..AuditFilter::default() };
    assert_eq!(found(&store, all).await, [5, 4]);
    store.close().await;
}
