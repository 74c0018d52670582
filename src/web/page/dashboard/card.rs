//! What the dashboard shows of one device.

use std::collections::HashMap;
use std::time::Duration;

use super::standing::{Found, Standing};
use crate::core::{BucketFilter, HubError, Sight, picture};
use crate::dictionary::Chosen;
use crate::model::{Datum, Device, DeviceId, Value, number};
use crate::web::App;
use crate::web::error::WebError;
use crate::web::page::bounds::Rules;
use crate::web::page::dial::{self, Dial};
use crate::web::page::moment::Moment;
use crate::web::page::spark;
use crate::web::page::values::{Shown, telling};

/// A device in few words.
pub(super) struct Card {
    pub(super) id: DeviceId,
    pub(super) name: String,
    pub(super) family: String,
    /// Its own identity on the wire, where its name is another.
    pub(super) address: Option<String>,
    pub(super) parent: Option<String>,
    standing: Standing,
    pub(super) alerts: usize,
    pub(super) seen: Option<Moment>,
    /// What it measured last, the most telling first.
    pub(super) values: Vec<Shown>,
    /// Values that are not shown.
    pub(super) more: usize,
    /// Of a gauge, in place of the drawing.
    pub(super) dial: Option<Dial>,
    /// What its first number was in the last hour, drawn.
    pub(super) spark: Option<String>,
}

impl Card {
    pub(super) const fn word(&self) -> &'static str {
        self.standing.word()
    }

    /// The colour of its word.
    pub(super) const fn tag(&self) -> &'static str {
        match self.standing {
            Standing::Online => "ok",
            Standing::Late => "late",
            Standing::Held => "held",
            Standing::Blocked => "blocked",
            Standing::Offline | Standing::Never => "",
        }
    }

    /// The value that says most.
    pub(super) fn first(&self) -> Option<&Shown> {
        self.values.first()
    }

    /// The others.
    pub(super) fn rest(&self) -> &[Shown] {
        self.values.get(1..).unwrap_or_default()
    }
}

/// The cards of some devices; `rich` with drawings and more than one value.
pub(super) async fn cards(
    app: &App,
    sight: &Sight,
    found: Vec<Found>,
    rich: bool,
) -> Result<Vec<Card>, WebError> {
    let ids = found.iter().map(|found| found.device.names.id.clone()).collect();
    let mut latest: HashMap<DeviceId, Vec<Datum>> = app.hub.latest_each(ids).await?;
    let now = app.hub.now();
    let is_made = |found: &Found| is_made(app, &found.device);
    let rules =
        if rich && found.iter().any(is_made) { Rules::read(app, sight).await? } else { Rules::default() };
    let mut cards = Vec::with_capacity(found.len());
    for Found { device, standing, alerts } in found {
        let chosen = app.meanings(&device.names);
        let values = telling(&chosen, picture(latest.remove(&device.names.id).unwrap_or_default()));
        let most = if rich { VALUES_SHOWN } else { 1 };
        let dial = if rich { dial_of(app, &rules, &device, &chosen, &values).await? } else { None };
        let spark = if rich && dial.is_none() {
            spark_of(app, &device.names.id, &chosen, &values).await?
        } else {
            None
        };
        let parent = if rich { app.parent(sight, &device) } else { None };
        let names = device.names;
        cards.push(Card {
            parent: parent.map(|parent| parent.names.name),
            family: names.family.as_str().to_owned(),
            address: (names.address != names.name).then_some(names.address),
            name: names.name,
            id: names.id,
            standing,
            alerts,
            seen: device.last_seen.map(|seen| Moment::since(seen, now)),
            more: values.len().saturating_sub(most),
            values: values.iter().take(most).map(|datum| Shown::new(&chosen, datum)).collect(),
            dial,
            spark,
        });
    }
    Ok(cards)
}

/// Whether it is one of those that people make: only they have a type.
fn is_made(app: &App, device: &Device) -> bool {
    app.family(&device.names.family).is_some_and(|family| family.has_tokens())
}

/// The dial of a device that a person called a gauge.
async fn dial_of(
    app: &App,
    rules: &Rules,
    device: &Device,
    chosen: &Chosen,
    values: &[Datum],
) -> Result<Option<Dial>, WebError> {
    if !is_made(app, device) {
        return Ok(None);
    }
    let pointed = values.iter().find(|datum| datum.sensor.as_str() == dial::SENSOR);
    let pointed = pointed.and_then(|datum| number(&datum.value));
    let Some(dial) = Dial::of(&app.facts(device).await?) else { return Ok(None) };
    let bounds = rules.stored(&app.hub, device, chosen, dial::SENSOR);
    Ok(Some(dial.showing(pointed).bounded(bounds)))
}

/// The last hour of the first number among those shown.
async fn spark_of(
    app: &App,
    device: &DeviceId,
    chosen: &Chosen,
    values: &[Datum],
) -> Result<Option<String>, HubError> {
    let number = |datum: &&Datum| {
        matches!(datum.value, Value::Integer(_) | Value::Real(_)) && chosen.is_amount(&datum.sensor)
    };
    let Some(datum) = values.iter().take(VALUES_SHOWN).find(number) else { return Ok(None) };
    let now = app.hub.now();
    let from = now.minus(HOUR);
    if datum.time() < from {
        return Ok(None);
    }
    let sensors = vec![datum.sensor.to_string()];
    let filter = BucketFilter { device: device.clone(), sensors, from, to: now, length_s: BUCKET_S };
    let buckets = app.hub.buckets(filter).await?;
    let (factor, offset) = chosen.scaling(&datum.sensor);
    let label = chosen.explain(&datum.sensor, &datum.value).map(|meaning| meaning.label);
    let label = label.unwrap_or_else(|| datum.sensor.to_string());
    Ok(spark::draw(&label, from, now, &buckets, |number| number.mul_add(factor, offset)))
}

/// Values on a card.
const VALUES_SHOWN: usize = 3;
const HOUR: Duration = Duration::from_hours(1);
/// The store has sums of minutes at hand.
const BUCKET_S: u32 = 60;
