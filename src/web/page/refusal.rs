//! A form that was not taken: its page again, filled in, with what is wrong with it.

use askama::Template;
use axum::response::{Html, IntoResponse as _};

use super::Page;
use super::typed::Wrong;
use crate::web::error::WebError;

/// The page that `page` makes of what is wrong. The answer has the error's status, its code for the audit log, and says when
/// to come back.
pub(super) fn refused<T: Template>(error: &WebError, page: impl FnOnce(Wrong) -> T) -> Page {
    let shown = error.shown();
    let page = page(Wrong::of(&shown));
    let mut response = (shown.status, Html(page.render()?)).into_response();
    shown.mark(&mut response);
    Ok(response)
}
