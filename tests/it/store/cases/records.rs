//! Small documents.

use homeport::model::{Device, Record, Timestamp};
use homeport::store::{RecordFilter, RecordWrite, Store, StoreError, Write};

use super::{at, device, make};
use crate::store::Base;

const KIND: &str = "test";

fn note(key: &str, at: Timestamp, body: &str) -> RecordWrite {
    RecordWrite {
        kind: KIND,
        key: key.to_owned(),
        device: None,
        at,
        body: Some(body.to_owned()),
        keep_max: None,
        only_new: false,
        was: None,
    }
}

async fn keep(store: &Store, record: RecordWrite) -> Result<(), StoreError> {
    store.write(Write::Record(Box::new(record))).await.map(drop)
}

async fn read(store: &Store, filter: RecordFilter) -> Vec<Record> {
    store.read().records(filter).await.unwrap()
}

fn all() -> RecordFilter {
    RecordFilter { kind: KIND.to_owned(), limit: 99, ..RecordFilter::default() }
}

async fn keys(store: &Store, filter: RecordFilter) -> Vec<String> {
    read(store, filter).await.into_iter().map(|record| record.key).collect()
}

pub(crate) async fn records_are_kept_replaced_and_removed(base: Base) {
    let store = base.open().await;
    keep(&store, note("a", at(1), "{\"n\":1}")).await.unwrap();
    keep(&store, note("a", at(2), "{\"ä\":2}")).await.unwrap();
    keep(&store, RecordWrite { kind: "other", ..note("a", at(3), "{}") }).await.unwrap();
    store.close().await;

    let store = base.open().await;
    let expected = Record {
        kind: KIND.to_owned(),
        key: "a".to_owned(),
        device: None,
        at: at(2),
        body: "{\"ä\":2}".to_owned(),
    };
    assert_eq!(read(&store, all()).await, std::slice::from_ref(&expected));
    assert_eq!(read(&store, RecordFilter { key: Some("a".to_owned()), ..all() }).await, [expected]);
    assert_eq!(read(&store, RecordFilter { key: Some("A".to_owned()), ..all() }).await, []);
    // Removing what is not there is no error.
    for _ in 0..2 {
        keep(&store, RecordWrite { body: None, ..note("a", at(4), "") }).await.unwrap();
    }
    assert_eq!(read(&store, all()).await, []);
    assert_eq!(keys(&store, RecordFilter { kind: "other".to_owned(), ..all() }).await, ["a"]);
    store.close().await;
}

pub(crate) async fn records_come_in_pages_newest_first(base: Base) {
    let store = base.open().await;
    for (key, second) in [("a", 1), ("b", 2), ("c", 2), ("d", 3), ("B", 2)] {
        keep(&store, note(key, at(second), "{}")).await.unwrap();
    }
    let mut before = None;
    let mut seen = Vec::new();
    loop {
        let page = read(&store, RecordFilter { before, limit: 2, ..all() }).await;
        let Some(last) = page.last() else { break };
        before = Some((last.at, last.key.clone()));
        seen.extend(page.into_iter().map(|record| record.key));
    }
    assert_eq!(seen, ["d", "c", "b", "B", "a"]);
    store.close().await;
}

pub(crate) async fn the_oldest_of_a_kind_go(base: Base) {
    let store = base.open().await;
    keep(&store, RecordWrite { kind: "other", ..note("x", at(0), "{}") }).await.unwrap();
    for (key, second) in [("a", 1), ("b", 2), ("c", 3), ("a", 4), ("d", 5)] {
        keep(&store, RecordWrite { keep_max: Some(2), ..note(key, at(second), "{}") }).await.unwrap();
    }
    assert_eq!(keys(&store, all()).await, ["d", "a"]);
    assert_eq!(keys(&store, RecordFilter { kind: "other".to_owned(), ..all() }).await, ["x"]);
    store.close().await;
}

pub(crate) async fn one_of_many_is_the_first(base: Base) {
    let store = base.open().await;
    let tries: Vec<_> = (0..9)
        .map(|n| {
            let store = store.clone();
            let record = RecordWrite { only_new: true, ..note("turn", at(n), &n.to_string()) };
            tokio::spawn(async move { keep(&store, record).await })
        })
        .collect();
    let mut first = 0;
    for one in tries {
        match one.await.unwrap() {
            Ok(()) => first += 1,
            Err(error) => assert!(matches!(error, StoreError::Conflict(_)), "{error}"),
        }
    }
    assert_eq!(first, 1);
    assert_eq!(keys(&store, all()).await, ["turn"]);
    store.close().await;
}

pub(crate) async fn records_go_with_their_device(base: Base) {
    let store = base.open().await;
    let (a, b) = (device("a", "A"), device("b", "B"));
    make(&store, &[&a, &b]).await;
    let about = |device: &Device, key: &str| RecordWrite {
        device: Some(device.names.id.clone()),
        ..note(key, at(1), "{}")
    };
    for (device, key) in [(&a, "1"), (&b, "2"), (&a, "3")] {
        keep(&store, about(device, key)).await.unwrap();
    }
    let of_a = RecordFilter { device: Some(a.names.id.clone()), ..all() };
    assert_eq!(keys(&store, of_a.clone()).await, ["3", "1"]);
    assert_eq!(keys(&store, RecordFilter { key: Some("2".to_owned()), ..of_a }).await, Vec::<String>::new());
    store.write(Write::Forget(a.names.id.clone())).await.unwrap();
    assert_eq!(keys(&store, all()).await, ["2"]);
    store.close().await;
}

pub(crate) async fn records_change_together_or_not_at_all(base: Base) {
    let store = base.open().await;
    let together = async |writes| store.write(Write::Records(writes)).await.map(drop);
    together(vec![note("a", at(1), "1"), note("b", at(1), "1")]).await.unwrap();
    let replace =
        |key, was: &str, body: &str| RecordWrite { was: Some(was.to_owned()), ..note(key, at(2), body) };

    // The second does not fit: nothing of the first is left.
    let refused = together(vec![note("c", at(2), "1"), replace("a", "2", "3")]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let refused =
        together(vec![note("c", at(2), "1"), RecordWrite { only_new: true, ..note("b", at(2), "3") }]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let refused = together(vec![note("c", at(2), "1"), replace("gone", "1", "2")]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(keys(&store, all()).await, ["b", "a"]);

    together(vec![replace("a", "1", "2"), RecordWrite { body: None, ..replace("b", "1", "") }])
        .await
        .unwrap();
    let left = read(&store, all()).await;
    assert_eq!(left.iter().map(|record| (&*record.key, &*record.body)).collect::<Vec<_>>(), [("a", "2")]);
    let twice = [replace("a", "2", "3"), replace("a", "2", "4")].map(|write| together(vec![write]));
    let [one, other] = twice;
    let (one, other) = futures_util::future::join(one, other).await;
    assert!(one.is_ok() != other.is_ok(), "of two that replace the same one does");
}
