//! The battery on PostgreSQL, with a database for each case.

use std::future::Future;
use std::pin::Pin;

use homeport::store::{Store, Target, WriterSettings};

use super::Base;
use super::postgres::Database;

super::battery!(run);

fn run(case: impl FnOnce(Base) -> Pin<Box<dyn Future<Output = ()>>>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::make().await;
        let (url, outside) = (database.url(), database.url());
        let base = Base::new(
            move || {
                let target = Target::Postgres(url.clone());
                async move { Store::open(&target, WriterSettings::default()).await.unwrap() }
            },
            move |number| {
                let url = outside.clone();
                async move {
                    let (client, connection) =
                        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
                    drop(tokio::spawn(connection));
                    let sql = format!("UPDATE device SET wire_last = {number}");
                    client.batch_execute(&sql).await.unwrap();
                }
            },
        );
        case(base).await;
        database.remove().await;
    });
}
