//! The newest value of every sensor of a device, as one page: what [`super::page`] writes, with one value a sensor.

use std::collections::BTreeMap;

use super::page::{Column, Head, Page, Point};
use crate::model::{Datum, SensorName, Seq, Timestamp};

/// The newest values after a page of later messages.
pub(crate) fn after(newest: &Page, later: &Page) -> Page {
    let mut by_sensor: BTreeMap<&SensorName, (Head, &Point)> = BTreeMap::new();
    for page in [newest, later] {
        for column in &page.columns {
            if let Some((point, head)) =
                column.points.last().and_then(|point| Some((point, page.head(point)?)))
            {
                by_sensor.insert(&column.sensor, (head, point));
            }
        }
    }
    of(by_sensor)
}

/// The newest values beside a page of messages that were brought over: by their times, not by their places in the ledger.
pub(crate) fn beside(newest: &Page, past: &Page) -> Page {
    let mut by_sensor: BTreeMap<&SensorName, (Head, &Point)> = BTreeMap::new();
    for page in [newest, past] {
        for column in &page.columns {
            for point in &column.points {
                let Some(head) = page.head(point) else { continue };
                let known = by_sensor.get(&column.sensor);
                if known.is_none_or(|(known, _)| head.at_us > known.at_us) {
                    by_sensor.insert(&column.sensor, (head, point));
                }
            }
        }
    }
    of(by_sensor)
}

/// What a page has of a device's newest values; `None` when it has none.
pub(crate) fn kept(page: &Page, newest: &Page) -> Option<Page> {
    let mut by_sensor = BTreeMap::new();
    for column in &page.columns {
        let same = newest.columns.iter().find(|known| known.sensor == column.sensor);
        let head = same.and_then(|same| newest.head(same.points.last()?));
        // Behind it there may be what was brought over.
        let point = column.points.iter().rev().find(|point| head.is_some() && page.head(point) == head);
        if let (Some(head), Some(point)) = (head, point) {
            by_sensor.insert(&column.sensor, (head, point));
        }
    }
    (!by_sensor.is_empty()).then(|| of(by_sensor))
}

/// The newest value as it is listed.
pub(crate) fn list(newest: &Page) -> Vec<Datum> {
    let datum = |column: &Column| {
        let point = column.points.last()?;
        Some(datum(&column.sensor, newest.head(point)?, point))
    };
    newest.columns.iter().filter_map(datum).collect()
}

/// A value as it is listed.
pub(super) fn datum(sensor: &SensorName, head: Head, point: &Point) -> Datum {
    Datum {
        sensor: sensor.clone(),
        value: point.value.clone(),
        time_received: Timestamp::from_micros(head.at_us),
        time_created: point.created_us.map(Timestamp::from_micros),
        seq: Seq(head.seq),
        counts: point.counts,
    }
}

fn of(by_sensor: BTreeMap<&SensorName, (Head, &Point)>) -> Page {
    let mut messages: Vec<Head> = by_sensor.values().map(|(head, _)| *head).collect();
    messages.sort_unstable_by_key(|head| head.seq);
    messages.dedup();
    let column = |(sensor, (head, point)): (&SensorName, (Head, &Point))| {
        let message = messages.partition_point(|known| known.seq < head.seq);
        Column { sensor: sensor.clone(), points: vec![Point { message, ..point.clone() }] }
    };
    let columns = by_sensor.into_iter().map(column).collect();
    Page { messages, columns }
}
