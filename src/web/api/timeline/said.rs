//! A device's messages, newest first, each followed by its values in their order.

use std::collections::VecDeque;

use super::read::{Happened, Told, Wanted};
use crate::core::{After, DataFilter, Hub, HubError, MessageFilter};
use crate::dictionary::{Chosen, Class};
use crate::model::{Datum, Direction, MessageRecord, Seq, Timestamp, Verdict};

/// Messages that are being told.
pub(super) struct Messages<'a> {
    chosen: &'a Chosen,
    filter: MessageFilter,
    left: VecDeque<MessageRecord>,
    /// Whether there are older ones than those that are left.
    older: bool,
    /// Messages that were read.
    read: usize,
    /// The values of the newest message that is left, once it was told; how many of them were, and how many of all.
    values: Option<(VecDeque<Datum>, usize)>,
    /// As many values as fit on the page; `None` when none is wanted.
    most: Option<u32>,
}

impl<'a> Messages<'a> {
    /// Those that are wanted, from the place on that was reached.
    pub(super) async fn read(hub: &Hub, wanted: &Wanted, chosen: &'a Chosen) -> Result<Self, HubError> {
        let place = wanted.place.message;
        let (from, to) = wanted.span;
        let filter = MessageFilter {
            device: Some(wanted.device.clone()),
            from,
            to,
            before: place.map(|(seq, _)| Seq(seq.0.saturating_add(1))),
            limit: wanted.limit.saturating_add(2),
            ..MessageFilter::default()
        };
        let mut messages = Self {
            chosen,
            filter,
            left: VecDeque::new(),
            older: wanted.wants_messages(),
            read: 0,
            values: None,
            most: wanted.wants_values().then(|| wanted.limit.saturating_add(1)),
        };
        messages.refill(hub).await?;
        // The page before ended within this message.
        if let Some((seq, told)) = place
            && messages.left.front().is_some_and(|message| message.seq == seq)
        {
            messages.values = Some((messages.values_of_first(hub, told).await?, told));
            messages.skip_told(hub).await?;
        }
        Ok(messages)
    }

    /// The time of what is next.
    pub(super) fn at(&self) -> Option<Timestamp> {
        self.left.front().map(|message| message.at)
    }

    /// Whether so many were read that whoever asks should ask again.
    pub(super) fn is_long(&self) -> bool {
        self.read > READ_MAX.max(usize::try_from(self.filter.limit).unwrap_or(usize::MAX))
    }

    /// What is next, and the place behind it.
    pub(super) async fn next(&mut self, hub: &Hub) -> Result<Option<((Seq, usize), Happened)>, HubError> {
        let Some(message) = self.left.front() else { return Ok(None) };
        let (at, seq) = (message.at, message.seq);
        if let Some((values, told)) = &mut self.values {
            let Some(datum) = values.pop_front() else { return Ok(None) };
            *told += 1;
            let place = (seq, *told);
            self.skip_told(hub).await?;
            return Ok(Some((place, Happened { at, told: self.value(datum) })));
        }
        let message = message.clone();
        self.values = Some((self.values_of_first(hub, 0).await?, 0));
        self.skip_told(hub).await?;
        Ok(Some(((seq, 0), Happened { at, told: Told::Message(message) })))
    }

    /// Goes on to the message before, when all of this one was told.
    async fn skip_told(&mut self, hub: &Hub) -> Result<(), HubError> {
        if self.values.as_ref().is_some_and(|(values, _)| values.is_empty()) {
            self.values = None;
            self.left.pop_front();
            self.refill(hub).await?;
        }
        Ok(())
    }

    /// Reads on when none is left.
    async fn refill(&mut self, hub: &Hub) -> Result<(), HubError> {
        if !self.older || !self.left.is_empty() {
            return Ok(());
        }
        let found = hub.messages(self.filter.clone()).await?;
        self.older = u32::try_from(found.len()).is_ok_and(|count| count >= self.filter.limit);
        self.read += found.len();
        self.filter.before = found.last().map(|message| message.seq);
        self.left = found.into();
        Ok(())
    }

    /// What the newest message that is left measured, without the first `told` values.
    async fn values_of_first(&self, hub: &Hub, told: usize) -> Result<VecDeque<Datum>, HubError> {
        let (Some(message), Some(most)) = (self.left.front(), self.most) else { return Ok(VecDeque::new()) };
        match (message.direction, message.verdict) {
            (Direction::In, Verdict::Ok | Verdict::NoCrc | Verdict::None) => {}
            (Direction::In, Verdict::BadCrc | Verdict::Malformed | Verdict::Duplicate)
            | (Direction::Out, _) => return Ok(VecDeque::new()),
        }
        let filter = DataFilter {
            whose: self.filter.device.clone().map(Into::into).unwrap_or_default(),
            from: Some(message.at),
            to: Some(Timestamp::from_micros(message.at.micros().saturating_add(1))),
            after: Some(After { seq: Seq(message.seq.0 - 1), sensor: BEYOND.to_owned(), count: 0 }),
            limit: u32::try_from(told).unwrap_or(u32::MAX).saturating_add(most),
            ..DataFilter::default()
        };
        let values = hub.data(filter).await?.into_iter().map(|(_, datum)| datum);
        Ok(values.filter(|datum| datum.seq == message.seq).skip(told).collect())
    }

    fn value(&self, datum: Datum) -> Told {
        let chosen = self.chosen;
        let happened = chosen
            .explain(&datum.sensor, &datum.value)
            .is_some_and(|meaning| meaning.class == Class::Event && !chosen.is_amount(&datum.sensor));
        if happened { Told::Event(datum) } else { Told::Value(datum) }
    }
}

/// Behind every sensor's name.
const BEYOND: &str = "\u{10ffff}";
/// Messages that are read for one page, when few of them have what is wanted.
const READ_MAX: usize = 1000;
