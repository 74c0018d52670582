//! Programs that send a first value, ready to paste: with this server's address and a device's token in them. The same as in
//! `docs/token.md`, where tests run them.

use super::reach::Reach;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web::page) struct Snippet {
    /// What people call it.
    pub(in crate::web::page) name: &'static str,
    /// For ids.
    pub(in crate::web::page) word: &'static str,
    /// What is to be known before it is pasted.
    pub(in crate::web::page) note: Option<&'static str>,
    pub(in crate::web::page) text: String,
}

/// For every kind of client, as far as the listeners that they need are open. `key` is what the value is called: `data` where there
/// is but one.
pub(in crate::web::page) fn of(reach: &Reach, token: &str, key: &str) -> Vec<Snippet> {
    let mut snippets = Vec::new();
    let ca = reach.root;
    if let Some(base) = reach.https().or_else(|| reach.http()) {
        let secure = base.starts_with("https:");
        let note = (secure && ca).then_some(ROOT_NOTE);
        let trust = if secure && ca { "  --cacert homeport-root.pem \\\n" } else { "" };
        let text = format!(
            "curl --silent --show-error --fail-with-body {base}/api/v1/data \\\n{trust}  \
             -H 'Authorization: Bearer {token}' \\\n  -d '{{\"{key}\": 42}}'"
        );
        snippets.push(Snippet { name: "curl", word: "curl", note, text });
        let context = match (secure, ca) {
            (true, true) => ", context=ssl.create_default_context(cafile=\"homeport-root.pem\")",
            (true, false) | (false, _) => "",
        };
        let import = if context.is_empty() { "" } else { "import ssl\n" };
        let text = format!(
            "import json\n{import}import urllib.request\n\n\
             request = urllib.request.Request(\n    \"{base}/api/v1/data\",\n    data=json.dumps({{\"{key}\": 42}}).encode(),\n    \
             headers={{\"Authorization\": \"Bearer {token}\", \"Content-Type\": \"application/json\"}},\n)\n\
             with urllib.request.urlopen(request, timeout=10{context}) as answer:\n    print(json.load(answer))"
        );
        snippets.push(Snippet { name: "Python", word: "python", note, text });
    }
    if let Some(base) = reach.http() {
        let text = format!(
            "import requests\n\nanswer = requests.post(\n    \"{base}/api/v1/data\",\n    json={{\"{key}\": 42}},\n    \
             headers={{\"Authorization\": \"Bearer {token}\"}},\n)\nprint(answer.status_code)\n\
             # Without this the socket stays open.\nanswer.close()"
        );
        snippets.push(Snippet {
            name: "MicroPython",
            word: "micropython",
            note: Some(MICROPYTHON_NOTE),
            text,
        });
        let text = format!(
            "#include <HTTPClient.h>\n\nHTTPClient http;\nhttp.begin(\"{base}/api/v1/data\");\n\
             http.addHeader(\"Authorization\", \"Bearer {token}\");\n\
             int status = http.POST(\"{key}=\" + String(analogRead(A0)));\nhttp.end();"
        );
        snippets.push(Snippet { name: "Arduino", word: "arduino", note: Some(PLAIN_NOTE), text });
    }
    snippets
}

const ROOT_NOTE: &str =
    "It trusts this server by its root certificate: download that into the same folder first.";
const MICROPYTHON_NOTE: &str = "Install its client once: import mip; mip.install(\"requests\"). This goes over plain HTTP, where everybody \
                                on the way can read the token: use it on a network of your own.";
const PLAIN_NOTE: &str = "This goes over plain HTTP, where everybody on the way can read the token: use it on a network of your own.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_the_address_and_the_token_in_it() {
        let reach = Reach {
            secure: "homeport.example".to_owned(),
            plain: "192.0.2.7".to_owned(),
            https_port: Some(8443),
            http_port: Some(8080),
            root: true,
            ..Reach::default()
        };
        let snippets = of(&reach, "dt_x", "data");
        assert_eq!(
            snippets.iter().map(|one| one.name).collect::<Vec<_>>(),
            ["curl", "Python", "MicroPython", "Arduino"]
        );
        for one in &snippets {
            assert!(one.text.contains("Bearer dt_x") && one.text.contains("/api/v1/data"), "{one:?}");
            let base = if one.text.contains("homeport-root.pem") {
                "https://homeport.example:8443"
            } else {
                "http://192.0.2.7:8080"
            };
            assert!(one.text.contains(base), "{one:?}");
        }
        let secure = Reach { http_port: None, root: false, ..reach };
        let snippets = of(&secure, "dt_x", "data");
        assert_eq!(snippets.len(), 2, "small boards need the plain listener");
        assert!(snippets.iter().all(|one| !one.text.contains("root.pem")));
    }
}
