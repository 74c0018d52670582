//! The `config.json` that a new node is given (`tswarm-node.md §1, §8`). Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::http::query;

/// The file of one node. Wi-Fi and pins are the owner's.
pub(super) fn config(base: &str, node: &str, login: &str, secret: &str) -> Json {
    let url = format!("{}/api/v1/tswarm/{}", base.trim_end_matches('/'), query::escape(node));
    json!({
        "modules": {
            "dht11": { "desc": "temperature and humidity", "gpio": [2] },
            "led": { "desc": "red, green, blue", "gpio": [12, 13, 14] },
        },
        "netconf": {
            "ssids": ["YOUR-WIFI"],
            "password": "YOUR-WIFI-PASSWORD",
            "static_ip": ["192.168.1.50", "255.255.255.0", "192.168.1.1", "192.168.1.1"],
        },
        "svconf": {
            "url": url.clone(),
            "url_local": url,
            "login": login,
            "xauth": STANDARD.encode(format!("{login}:{secret}")),
        },
    })
}

/// Says what is wrong with a name that a node would be given: it goes into a URL, into JSON without escapes and before
/// the colon of HTTP Basic, and old libraries count characters instead of bytes.
pub(super) fn fault(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > super::body::NAME_MAX {
        return Some(format!("a name has 1 to {} characters", super::body::NAME_MAX));
    }
    let odd = name.chars().find(|letter| !letter.is_ascii_alphanumeric() && !"-_.".contains(*letter))?;
    Some(format!(
        "`{odd}` is not for a node's name: letters of the English alphabet, digits, `-`, `_` and `.` are, because nodes \
         write their name into URLs and JSON as it is, and count letters instead of bytes"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_says_where_to_call_and_as_whom() {
        let config = config("http://192.168.1.10:8080/", "node1", "node1", "secret");
        assert_eq!(config["svconf"]["url"], "http://192.168.1.10:8080/api/v1/tswarm/node1");
        assert_eq!(config["svconf"]["login"], "node1");
        assert_eq!(config["svconf"]["xauth"], "bm9kZTE6c2VjcmV0");
    }

    #[test]
    fn names_that_nodes_stumble_over_are_told() {
        assert_eq!(fault("node-1_a.B"), None);
        for name in ["", "nöde", "a b", "a/b", "a\"b", "a\\b", "a:b", "a%20b", &"x".repeat(65)] {
            assert!(fault(name).is_some(), "{name}");
        }
    }
}
