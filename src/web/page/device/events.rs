//! What happened at a device in the last day, as its values say.

use std::time::Duration;

use crate::core::{After, DataFilter, HubError};
use crate::dictionary::{Chosen, Class};
use crate::model::{Datum, DeviceId, Value};
use crate::web::App;
use crate::web::page::moment::Moment;

/// Something that happened.
pub(super) struct EventLine {
    pub(super) at: Moment,
    pub(super) what: String,
}

/// The last events of a day, newest first: values of sensors whose dictionary says that they are events, not counts
/// of them.
pub(super) async fn lines(
    app: &App,
    device: &DeviceId,
    chosen: &Chosen,
    latest: &[Datum],
) -> Result<Vec<EventLine>, HubError> {
    let happened = |sensor: &str, value: &Value| {
        chosen
            .explain(sensor, value)
            .filter(|meaning| meaning.class == Class::Event && !chosen.is_amount(sensor))
    };
    let mut events = Vec::new();
    for newest in latest.iter().filter(|datum| happened(&datum.sensor, &datum.value).is_some()) {
        for datum in day(app, device, newest).await? {
            let at = datum.time_created.unwrap_or(datum.time_received);
            if let Some(meaning) = happened(&datum.sensor, &datum.value) {
                events.push((at, meaning.shown));
            }
        }
    }
    // A stable sort: of what happened at the same moment, the last told comes first.
    events.reverse();
    events.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    events.truncate(SHOWN);
    Ok(events.into_iter().map(|(at, what)| EventLine { at: Moment::at(at), what }).collect())
}

/// A sensor's values of the day before its newest.
async fn day(app: &App, device: &DeviceId, newest: &Datum) -> Result<Vec<Datum>, HubError> {
    let mut day = Vec::new();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let filter = DataFilter {
            whose: device.clone().into(),
            sensors: vec![newest.sensor.to_string()],
            from: Some(newest.time_received.minus(DAY)),
            after: after.clone(),
            limit: PAGE,
            ..DataFilter::default()
        };
        let page = app.hub.data(filter).await?;
        let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        after = After::last_of(&page, after.as_ref());
        day.extend(page.into_iter().map(|(_, datum)| datum));
        if !full {
            break;
        }
    }
    Ok(day)
}

/// Events that are shown.
const SHOWN: usize = 20;
const DAY: Duration = Duration::from_hours(24);
const PAGE: u32 = 1000;
/// More events of a day than a page of people is made for.
const PAGES_MAX: usize = 20;
