//! Pages: server-made HTML that works without script.

pub(crate) mod account;
pub(crate) mod actions;
pub(crate) mod add;
pub(crate) mod alerts;
pub(crate) mod api;
pub(crate) mod assets;
pub(crate) mod audit;
mod bounds;
mod bytes;
pub(crate) mod command;
mod controls;
mod credentials;
pub(crate) mod dashboard;
pub(crate) mod deliveries;
pub(crate) mod demo;
pub(crate) mod device;
pub(crate) mod dial;
pub(crate) mod download;
mod frame;
mod gauge;
pub(crate) mod login;
mod moment;
pub(crate) mod newcomers;
pub(crate) mod publish;
pub(crate) mod published;
pub(crate) mod pullform;
pub(crate) mod receivers;
mod refusal;
pub(crate) mod rules;
pub(crate) mod send;
mod spark;
pub(crate) mod status;
pub(crate) mod transfers;
mod typed;
pub(crate) mod users;
mod values;

use askama::Template;
use axum::extract::{Form, FromRequest, Request};
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;

use self::frame::{Frame, Place};
use self::refusal::refused;
use super::error::WebError;
use crate::core::Caller;
use crate::model::Timestamp;
use crate::web::App;
use crate::web::params::BODY_MAX_BYTES;

/// A page, or the page that says why there is none.
pub(crate) type Page = Result<Response, PageError>;

/// An error that answers as a page.
pub(crate) struct PageError(WebError);

impl<E: Into<WebError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        failed(&self.0)
    }
}

/// What a form sends; a form that cannot be read is answered with a page.
pub(crate) struct Sent<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        match Form::<T>::from_request(request, state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(WebError::TooLarge { limit_bytes: BODY_MAX_BYTES }.into())
            }
            Err(rejection) => Err(WebError::Unreadable(rejection.body_text()).into()),
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct Failed {
    frame: Frame,
    fault: Fault,
}

/// What went wrong, on the answer that says so: who knows the asker puts the frame around it.
#[derive(Clone)]
struct Fault {
    title: &'static str,
    status: u16,
    message: String,
}

/// The page that says what went wrong.
pub(crate) fn failed(error: &WebError) -> Response {
    let shown = error.shown();
    let title = shown.status.canonical_reason().unwrap_or("Error");
    let fault = Fault { title, status: shown.status.as_u16(), message: shown.message.clone() };
    let page = Failed { frame: Frame::outside(title), fault: fault.clone() };
    let mut response = match page.render() {
        Ok(html) => (shown.status, Html(html)).into_response(),
        Err(_) => (shown.status, "the page could not be made").into_response(),
    };
    shown.mark(&mut response);
    response.extensions_mut().insert(fault);
    secure(&mut response);
    response
}

/// The same answer with the ways to other pages, if it is the page that says what went wrong.
pub(crate) async fn framed(response: Response, app: &App, caller: &Caller) -> Response {
    let Some(fault) = response.extensions().get::<Fault>().cloned() else { return response };
    let frame = Frame::of(app, caller, Place::Elsewhere, fault.title).await;
    match (Failed { frame, fault }).render() {
        Ok(html) => response.map(|_| html.into()),
        Err(_) => response,
    }
}

/// Renders a page.
pub(crate) fn render(page: &impl Template) -> Page {
    Ok(Html(page.render()?).into_response())
}

/// Adds what browsers should know about our pages. Never on device routes.
pub(crate) fn secure(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// A time as a table shows it.
fn brief(at: Timestamp) -> String {
    at.civil_seconds().replace('T', " ")
}
