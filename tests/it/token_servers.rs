//! Devices' tokens at two servers on one PostgreSQL (`accounts-dashboard.md §3`).

use serde_json::{Value, json};

use crate::harness::{Program, settled};
use crate::store::postgres::Database;

/// The status that an upload with a token is answered with.
fn status(program: &Program, token: &str) -> u16 {
    let request = format!(
        "POST /api/v1/data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 1\r\n\r\n7"
    );
    program.plain_client().ask(request.as_bytes()).unwrap().status
}

fn server(database: &Database) -> Program {
    let mut program = Program::new().set("HOMEPORT_STORE", &database.url());
    program.start();
    program
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_and_ends_at_every_server() {
    let database = Database::make().await;
    tokio::task::block_in_place(|| {
        let (one, other) = (server(&database), server(&database));
        let made = one.done(&["devices", "add", "Boiler", "--json"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let token = made["token"].as_str().unwrap();
        assert_eq!(status(&one, token), 202);
        let heard = settled(|| (status(&other, token) == 202).then_some(()));
        assert!(heard.is_some(), "the other server learns of a new device and its token");
        // Ended at the other one: good for nothing there at once, and here as soon as it is heard of.
        other.done(&["devices", "revoke", made["device"]["id"].as_str().unwrap()]);
        assert_eq!(status(&other, token), 401);
        let ended = settled(|| (status(&one, token) == 401).then_some(()));
        assert!(ended.is_some(), "the first server learns that the token has ended");
        let devices: Value = serde_json::from_str(&one.done(&["devices", "list", "--json"])).unwrap();
        assert_eq!(devices[0]["family"], json!("token"));
    });
    database.remove().await;
}
