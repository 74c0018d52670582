//! Query parameters that many calls take, for `params(…)` of a description. Nobody makes one: they are read by
//! [`crate::web::params::Params`].
#![expect(dead_code, reason = "descriptions of what a query may say")]

use utoipa::IntoParams;

/// A page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paged {
    /// How many items a page has, at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Where the page before ended: its `next`, unchanged.
    cursor: Option<String>,
}

/// A stretch of time.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// Not before this time (RFC 3339; without a zone it is UTC).
    #[param(format = DateTime, example = "2026-01-01T00:00:00Z")]
    from: Option<String>,
    /// Before this time.
    #[param(format = DateTime, example = "2026-02-01T00:00:00Z")]
    to: Option<String>,
}
