//! What a device is called and what is known of it.

use askama::Template;
use axum::extract::State;

use super::facts::{self, FactLine};
use super::{Begun, DeviceState, Frame, Head, Moment, Page, Tab, render};
use crate::core::CertificateNote;
use crate::family::Day;
use crate::web::App;
use crate::web::auth::By;
use crate::web::params::Name;

/// Days whose files the page leads to; the API lists all.
const DAYS_SHOWN: usize = 31;

#[derive(Template)]
#[template(path = "device/settings.html")]
struct SettingsPage {
    frame: Frame,
    head: Head,
    created: Moment,
    certificate: Option<CertificateNote>,
    facts: Vec<FactLine>,
    /// The newest days of which there is a file.
    days: Vec<Day>,
    days_more: usize,
}

pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let Begun { frame, head, sight: _, facts } = Begun::with(&app, &caller, &id, Tab::Settings).await?;
    let device = &head.device;
    let mut days = match app.family(&device.names.family).and_then(|family| family.days()) {
        Some(days) => days.list(&app.hub, device).await?,
        None => Vec::new(),
    };
    let days_more = days.len().saturating_sub(DAYS_SHOWN);
    days.truncate(DAYS_SHOWN);
    render(&SettingsPage {
        frame,
        created: Moment::at(device.created),
        certificate: app.hub.certificate(&device.names.id).await?,
        facts: facts::lines(&facts),
        days,
        days_more,
        head,
    })
}
