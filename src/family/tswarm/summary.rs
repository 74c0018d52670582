//! The small summary for a node with a screen: a line for each node, as short as such a node's memory
//! (`tswarm-node.md §8`).

use hyper::StatusCode;
use serde_json::{Value as Json, json};

use super::call::{admitted, node_in_path, note};
use super::readings::{HUMIDITY, TEMPERATURE};
use super::{Tswarm, answer};
use crate::core::{DeviceFilter, Hub, HubError};
use crate::http::{Exchange, Reply, query};
use crate::model::{Datum, Device, DeviceState, Value};

/// Answers a GET: all nodes at `summary`, or the one whose path it is.
pub(super) async fn answer(swarm: &Tswarm, hub: &Hub, exchange: &Exchange) -> Reply {
    match answered(swarm, hub, exchange).await {
        Ok(reply) => reply,
        Err(error) => answer::failed(&error, exchange),
    }
}

async fn answered(swarm: &Tswarm, hub: &Hub, exchange: &Exchange) -> Result<Reply, HubError> {
    let login = match admitted(swarm, hub, exchange).await? {
        Ok(login) => login,
        Err(turned) => {
            let reply = turned.reply();
            note(swarm, hub, exchange, turned);
            return Ok(reply);
        }
    };
    let Some(asked) = node_in_path(exchange) else { return Ok(answer::nothing_here()) };
    let nodes = if asked.eq_ignore_ascii_case("summary") {
        nodes(swarm, hub).await?
    } else if login.admits(&asked) {
        hub.device_by_address(&swarm.name, &asked).into_iter().collect()
    } else {
        Vec::new()
    };
    if nodes.is_empty() && !asked.eq_ignore_ascii_case("summary") {
        return Ok(answer::nothing_here());
    }
    let as_json = exchange.query.as_deref().and_then(|text| query::raw(text.as_bytes(), "f"));
    let mut lines = Lines::new(as_json == Some(b"json"), swarm.settings.summary_max_bytes);
    for node in nodes {
        let latest = hub.latest(&node.names.id).await?;
        if !lines.add(&Line::of(&node, &latest, hub)) {
            break;
        }
    }
    Ok(lines.reply())
}

/// Every node that is let in, those heard last first.
async fn nodes(swarm: &Tswarm, hub: &Hub) -> Result<Vec<Device>, HubError> {
    let filter = DeviceFilter {
        family: Some(swarm.name.clone()),
        state: Some(DeviceState::Active),
        limit: NODES_MAX,
        ..DeviceFilter::default()
    };
    let mut nodes = hub.devices(filter).await?;
    // Anybody may look at this: what has an owner is not for anybody.
    nodes.retain(|node| hub.owner(&node.names.id).is_none());
    nodes.sort_by_key(|node| std::cmp::Reverse(node.last_seen));
    Ok(nodes)
}

/// What a screen shows of a node.
struct Line {
    name: String,
    temperature: Json,
    humidity: Json,
    age_s: i64,
}

impl Line {
    fn of(node: &Device, latest: &[Datum], hub: &Hub) -> Self {
        let value = |sensor: &str| {
            let datum = latest.iter().find(|datum| datum.sensor.as_str() == sensor);
            match datum.map(|datum| &datum.value) {
                Some(Value::Integer(number)) => json!(number),
                Some(Value::Real(number)) => json!((number * 10.0).round() / 10.0),
                Some(Value::Bool(_) | Value::Text(_) | Value::Gap(_)) | None => Json::Null,
            }
        };
        let seen = node.last_seen.unwrap_or(node.created);
        Self {
            name: node.names.name.clone(),
            temperature: value(TEMPERATURE),
            humidity: value(HUMIDITY),
            age_s: hub.now().seconds().saturating_sub(seen.seconds()).max(0),
        }
    }
}

/// A text that stays below a size: what does not fit is left out as a whole line.
struct Lines {
    text: String,
    as_json: bool,
    bytes_max: usize,
}

impl Lines {
    fn new(as_json: bool, bytes_max: usize) -> Self {
        Self { text: String::new(), as_json, bytes_max }
    }

    /// Adds a line; `false` when there is no room for it.
    fn add(&mut self, line: &Line) -> bool {
        let Line { name, temperature, humidity, age_s } = line;
        let part = if self.as_json {
            let part = json!({ "name": name, "temp": temperature, "hum": humidity, "age_s": age_s });
            let comma = if self.text.is_empty() { "" } else { "," };
            format!("{comma}{part}")
        } else {
            // A blank within a name would move the numbers.
            let name: String =
                name.chars().map(|letter| if letter.is_whitespace() { '_' } else { letter }).collect();
            let shown = |number: &Json| if number.is_null() { "-".to_owned() } else { number.to_string() };
            format!("{name} {} {} {age_s}\n", shown(temperature), shown(humidity))
        };
        let brackets = if self.as_json { 2 } else { 0 };
        let fits = self.text.len() + part.len() + brackets <= self.bytes_max;
        if fits {
            self.text.push_str(&part);
        }
        fits
    }

    fn reply(self) -> Reply {
        if self.as_json {
            return Reply::json(StatusCode::OK, format!("[{}]", self.text));
        }
        Reply::text(StatusCode::OK, &self.text)
    }
}

/// More than have room in any summary.
const NODES_MAX: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> Line {
        Line { name: name.to_owned(), temperature: json!(23), humidity: Json::Null, age_s: 7 }
    }

    #[test]
    fn a_summary_is_whole_lines_below_its_size() {
        let mut lines = Lines::new(false, 64);
        assert!(lines.add(&line("living room")));
        let mut count = 1;
        while lines.add(&line("n")) {
            count += 1;
        }
        assert!(lines.text.starts_with("living_room 23 - 7\nn 23 - 7\n"));
        assert!(lines.text.len() <= 64 && lines.text.lines().count() == count);
        let mut lines = Lines::new(true, 64);
        assert!(lines.add(&line("a\"b")) && !lines.add(&line("c")));
        let reply = lines.reply();
        assert!(reply.body.len() <= 64);
        let read: Json = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(read, json!([{"name": "a\"b", "temp": 23, "hum": null, "age_s": 7}]));
    }
}
