//! Downloads: a published file under `/NAME`, `/file/NAME` and `/files/NAME` (`cwm-oke.md §3.5`).

use crate::core::Hub;
use crate::family::download::{answer, missing, named};
use crate::http::{Exchange, Reply};

/// Answers for the path's part `name`.
pub(super) async fn download(hub: &Hub, exchange: Exchange) -> Reply {
    let Some(name) = exchange.param("name").and_then(named) else { return missing(&exchange) };
    answer(hub, &exchange, &name, |_| true).await.unwrap_or_else(|| missing(&exchange))
}

/// Answers for a path of one piece that is nobody else's; `None` when no such file is published.
pub(super) async fn at_root(hub: &Hub, exchange: Exchange) -> Option<Reply> {
    let name = named(exchange.path.strip_prefix('/')?)?;
    // Such a name cannot be published; but it may have been before its path was somebody's.
    if hub.is_name_taken(name.as_str()) {
        return None;
    }
    answer(hub, &exchange, &name, |_| true).await
}
