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

/// Which values.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Values {
    /// Of this sensor; repeat it for several, 256 at most.
    sensor: Option<String>,
    /// `asc` is the oldest first, `desc` the newest.
    order: Option<String>,
}

/// What an export looks like.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportForm {
    /// A value a row (`long`), a record a row with a column for each sensor (`wide`), or a block a device (`classic`).
    form: Option<String>,
    /// `csv` or `jsonl`.
    format: Option<String>,
    /// With what the values are called and mean.
    labels: Option<bool>,
    /// Whether the CSV begins with a byte order mark.
    bom: Option<bool>,
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
