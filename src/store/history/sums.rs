//! Sums of a page by the minute or the hour, so that a plot of a year reads no values.

use std::collections::BTreeMap;

use super::ints;
use super::page::{self, Page, VALUES_MAX};
use super::tally::{Sum, number, plotted_at, start_of};
use super::wire::{Bytes, put_count, put_text};
use crate::model::SensorName;

/// Sums by sensor and by the start of their stretch in microseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sums(pub(crate) BTreeMap<SensorName, BTreeMap<i64, Sum>>);

impl Sums {
    /// Of a page's numbers, those of ledger entries beyond one.
    pub(crate) fn of(page: &Page, length_us: i64, beyond: i64) -> Self {
        let mut sums = Self::default();
        for column in &page.columns {
            let mut of_sensor = BTreeMap::new();
            let mut open: Option<(i64, Sum)> = None;
            for point in column.points.iter().filter(|point| point.counts) {
                let (Some(number), Some(head)) = (number(&point.value), page.head(point)) else { continue };
                if head.seq <= beyond {
                    continue;
                }
                let at = plotted_at(head.at_us, point.created_us);
                let (start, sum) = (start_of(at, length_us), Sum::of(number, at));
                match &mut open {
                    Some((here, so_far)) if *here == start => so_far.add(&sum),
                    Some(_) | None => {
                        let full = open.replace((start, sum));
                        close(&mut of_sensor, full);
                    }
                }
            }
            close(&mut of_sensor, open);
            if !of_sensor.is_empty() {
                sums.0.insert(column.sensor.clone(), of_sensor);
            }
        }
        sums
    }

    /// Writes them; `length_us` is the length of their stretches.
    pub(crate) fn encode(&self, length_us: i64) -> Vec<u8> {
        let mut rest = Vec::new();
        put_count(&mut rest, self.0.len());
        for (sensor, sums) in &self.0 {
            let mut body = Vec::new();
            put_count(&mut body, sums.len());
            let whole = |of: fn(&Sum) -> i64| sums.values().map(of).collect::<Vec<_>>();
            let reals = |of: fn(&Sum) -> f64| sums.values().map(of).collect::<Vec<_>>();
            ints::write(&mut body, &sums.keys().map(|start| start.div_euclid(length_us)).collect::<Vec<_>>());
            ints::write(&mut body, &whole(|sum| sum.count.cast_signed()));
            let late = sums.iter().map(|(start, sum)| sum.last_us.saturating_sub(*start));
            ints::write(&mut body, &late.collect::<Vec<_>>());
            for row in
                [reals(|sum| sum.min), reals(|sum| sum.max), reals(|sum| sum.total), reals(|sum| sum.last)]
            {
                ints::write_reals(&mut body, &row);
            }
            put_text(&mut rest, sensor);
            put_count(&mut rest, body.len());
            rest.extend(body);
        }
        page::seal(&rest)
    }

    /// Reads those of the wanted sensors. `None` when they are not as they were written.
    pub(crate) fn decode(bytes: &[u8], length_us: i64, wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let mut rest = Bytes::new(page::unseal(bytes)?);
        let mut sums = Self::default();
        for _ in 0..rest.count(rest.len())? {
            let sensor = rest.text()?;
            let length = rest.count(rest.len())?;
            let mut body = Bytes::new(rest.take(length)?);
            if wanted(sensor) {
                sums.0.insert(sensor.into(), read(&mut body, length_us)?);
            }
        }
        rest.is_empty().then_some(sums)
    }
}

fn close(sums: &mut BTreeMap<i64, Sum>, full: Option<(i64, Sum)>) {
    if let Some((start, sum)) = full {
        sums.entry(start).and_modify(|so_far| so_far.add(&sum)).or_insert(sum);
    }
}

fn read(body: &mut Bytes<'_>, length_us: i64) -> Option<BTreeMap<i64, Sum>> {
    let count = body.count(VALUES_MAX)?;
    let starts = ints::read(body, count)?;
    let counts = ints::read(body, count)?;
    let mut late = ints::read(body, count)?.into_iter();
    let mut min = ints::read_reals(body, count)?.into_iter();
    let mut max = ints::read_reals(body, count)?.into_iter();
    let mut total = ints::read_reals(body, count)?.into_iter();
    let mut last = ints::read_reals(body, count)?.into_iter();
    let mut sums = BTreeMap::new();
    for (start, count) in starts.into_iter().zip(counts) {
        let start = start.checked_mul(length_us)?;
        let sum = Sum {
            count: u64::try_from(count).ok()?,
            min: min.next()?,
            max: max.next()?,
            total: total.next()?,
            last: last.next()?,
            last_us: start.checked_add(late.next()?)?,
        };
        sums.insert(start, sum);
    }
    body.is_empty().then_some(sums)
}
