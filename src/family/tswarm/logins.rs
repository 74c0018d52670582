//! Logins of nodes: names with a secret that we made, and which nodes may call with it (`tswarm-node.md §5`). Of a secret
//! only its SHA-256 is kept; it has 128 random bits, which nobody can guess.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::core::{Kept, secret_digest};
use crate::model::Timestamp;

/// Who may call, and as which nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Login {
    /// What stands before the colon of HTTP Basic. Letter case counts.
    pub(super) name: String,
    /// SHA-256 of the secret, hexadecimal.
    hash: String,
    /// The nodes it is for.
    pub(super) nodes: Vec<String>,
    /// It is for every other node too, as far as the policy for unknown devices lets them in.
    pub(super) any: bool,
    /// When the secret was made.
    pub(super) since: Timestamp,
    /// Who made it.
    pub(super) by: String,
}

impl Login {
    /// A login with its secret hashed.
    pub(super) fn new(
        login: &str,
        secret: &SecretString,
        nodes: Vec<String>,
        at: Timestamp,
        by: &str,
    ) -> Self {
        Self {
            name: login.to_owned(),
            hash: secret_digest(secret.expose_secret()),
            any: nodes.is_empty(),
            nodes,
            since: at,
            by: by.to_owned(),
        }
    }

    /// What the token of a device stands for: that node alone. Never kept, and fits no secret.
    pub(super) fn of_token(node: &str, at: Timestamp) -> Self {
        Self {
            name: node.to_owned(),
            hash: String::new(),
            nodes: vec![node.to_owned()],
            any: false,
            since: at,
            by: String::new(),
        }
    }

    /// Whether a secret is this login's.
    pub(super) fn fits(&self, secret: &SecretString) -> bool {
        secret_digest(secret.expose_secret()).as_bytes().ct_eq(self.hash.as_bytes()).into()
    }

    /// Whether a node was named when the login was made.
    pub(super) fn names(&self, node: &str) -> bool {
        self.nodes.iter().any(|known| known.eq_ignore_ascii_case(node))
    }

    /// Whether a node may call with it.
    pub(super) fn admits(&self, node: &str) -> bool {
        self.any || self.names(node)
    }
}

impl Kept for Login {
    const KIND: &'static str = "tswarm_login";

    fn key(&self) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_for_its_nodes() {
        let secret = SecretString::from("s3cret");
        let login = |nodes: &[&str]| {
            let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
            Login::new("a", &secret, nodes, Timestamp::default(), "user:me")
        };
        let one = login(&["node1"]);
        assert!(one.fits(&secret) && !one.fits(&SecretString::from("s3cret ")));
        assert!(one.admits("NODE1") && !one.admits("node2") && !one.any);
        let any = login(&[]);
        assert!(any.admits("node2") && !any.names("node2"));
        assert!(!serde_json::to_string(&one).unwrap().contains("s3cret"));
    }
}
