//! Nodes that are held awake: a switch with an end, for all nodes or for some, and who heeded it
//! (`tswarm-node.md §3, §8`). Pure.

use serde::{Deserialize, Serialize};

use crate::core::Kept;
use crate::model::Timestamp;

/// A wish that nodes stay awake: their next PUT is answered 423.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hold {
    /// Its random name.
    pub(super) id: String,
    /// Which nodes; none names all.
    pub(super) nodes: Vec<String>,
    /// From when.
    pub(super) since: Timestamp,
    /// Until when.
    pub(super) until: Timestamp,
    /// Who wished it.
    pub(super) by: String,
}

impl Hold {
    /// Whether it is for a node.
    pub(super) fn covers(&self, node: &str) -> bool {
        self.nodes.is_empty() || self.nodes.iter().any(|held| held.eq_ignore_ascii_case(node))
    }

    /// Whether it holds at a time.
    pub(super) fn lasts(&self, at: Timestamp) -> bool {
        at < self.until
    }
}

impl Kept for Hold {
    const KIND: &'static str = "tswarm_hold";
    const KEEP_MAX: Option<u32> = Some(1000);

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A node that was told to stay awake, and has not slept and called since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stopped {
    /// Which.
    pub(super) node: String,
    /// When it was told.
    pub(super) at: Timestamp,
}

impl Kept for Stopped {
    const KIND: &'static str = "tswarm_stopped";

    fn key(&self) -> String {
        self.node.to_lowercase()
    }
}

/// What an owner decided about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Standing {
    /// It is answered as if all were well, and nothing of it is stored.
    Disabled,
    /// It is a stranger from now on.
    Revoked,
}

impl Standing {
    /// The word that is shown.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Revoked => "revoked",
        }
    }
}

/// The note of such a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Which node.
    pub(super) node: String,
    /// What was decided.
    pub(super) standing: Standing,
    /// When.
    pub(super) at: Timestamp,
    /// Who did.
    pub(super) by: String,
}

impl Kept for Mark {
    const KIND: &'static str = "tswarm_mark";

    fn key(&self) -> String {
        self.node.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_for_its_nodes_and_has_an_end() {
        let hold = |nodes: &[&str]| Hold {
            id: "h".to_owned(),
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            since: Timestamp::from_micros(0),
            until: Timestamp::from_micros(10),
            by: "user:me".to_owned(),
        };
        assert!(hold(&[]).covers("any"));
        assert!(hold(&["a", "b"]).covers("B") && !hold(&["a", "b"]).covers("c"));
        assert!(hold(&[]).lasts(Timestamp::from_micros(9)) && !hold(&[]).lasts(Timestamp::from_micros(10)));
    }
}
