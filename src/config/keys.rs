//! The one table of keys: name, meaning, and how each is set and shown. Defaults come from the structs.

use super::Config;
use super::setting::Setting;

/// One key.
pub struct Key {
    /// Its dotted name.
    pub name: &'static str,
    /// What it is for, one line or more.
    pub meaning: &'static str,
    /// Whether it may hold a secret: then `NAME_file` names a file that holds its value.
    pub secret: bool,
    pub(super) read: fn(&mut Config, &toml::Value) -> Result<(), String>,
    pub(super) parse: fn(&mut Config, &str) -> Result<(), String>,
    pub(super) show: fn(&Config) -> toml::Value,
}

impl Key {
    /// The environment variable that sets it. `HOMEPORT_HTTPS` sets `listen.https`: its section's name is left
    /// out; other sections keep theirs.
    pub fn variable(&self) -> String {
        let name = self.name.strip_prefix("listen.").unwrap_or(self.name);
        format!("HOMEPORT_{}", name.replace('.', "_").to_ascii_uppercase())
    }
}

macro_rules! key {
    ($name:literal, $($field:ident).+, $meaning:literal) => { key!($name, $($field).+, $meaning, false) };
    ($name:literal, $($field:ident).+, $meaning:literal, $secret:literal) => {
        Key {
            name: $name,
            meaning: $meaning,
            secret: $secret,
            read: |config, value| Setting::read(value).map(|value| config.$($field).+ = value),
            parse: |config, text| Setting::parse(text).map(|value| config.$($field).+ = value),
            show: |config| Setting::show(&config.$($field).+),
        }
    };
}

/// Every key, in the order of the template: top level first, then section by section.
pub fn keys() -> &'static [Key] {
    KEYS
}

static KEYS: &[Key] = &[
    key!("data_dir", data_dir, "Folder of the store, the control socket and the first password."),
    key!("certs_dir", certs_dir, "Folder of the certificate authority and the server's certificates."),
    key!(
        "files_dir",
        files_dir,
        "Folder of files that devices may download, put there by `homeport files add`."
    ),
    key!(
        "dictionaries_dir",
        dictionaries_dir,
        "Folder of data dictionaries, one .toml file each: what values are called and mean. Read again on SIGHUP.\nEmpty: the folder dictionaries in data_dir."
    ),
    key!(
        "hosts",
        hosts,
        "Names and IP addresses put into the certificate.\nEmpty: the machine's name, localhost and the machine's addresses."
    ),
    key!(
        "store",
        store,
        "The database: sqlite (a file in data_dir), sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE.",
        true
    ),
    key!(
        "listen.device_ports",
        listen.device_ports,
        "Listen where real devices call: https on 443, http on 80, ws on 4444. Addresses given beside it win."
    ),
    key!(
        "listen.https",
        listen.https,
        "TLS: CWM/OKE devices, pages and API. Real CWMs call port 443. PORT in the environment sets the port.\nEvery listener: ADDRESS:PORT, or off."
    ),
    key!(
        "listen.http",
        listen.http,
        "Plain HTTP for devices that know no TLS. Nothing an operator signs in to."
    ),
    key!(
        "listen.redirect_pages",
        listen.redirect_pages,
        "Send browsers that ask the http listener for a page to https. Devices are never sent anywhere, whatever they ask for."
    ),
    key!("listen.ws", listen.ws, "WebSocket microcontrollers."),
    key!("listen.admin", listen.admin, "When set, pages and API are served only here (with TLS)."),
    key!(
        "tls.certificate",
        tls.certificate,
        "Your own certificate in place of one that homeport makes: PEM file. Needs tls.key."
    ),
    key!("tls.key", tls.key, "The key of tls.certificate: PEM file."),
    key!(
        "tls.client_certificates",
        tls.client_certificates,
        "Certificates of devices, on the https listener: off, optional (asked for and written down; none or a bad one is\nno obstacle) or required (device paths answer 403 to whoever shows no good one; pages stay open)."
    ),
    key!("tls.client_roots", tls.client_roots, "Roots beside our own that may vouch for devices: PEM file."),
    key!(
        "devices.unknown",
        devices.unknown,
        "First contact of a device nobody has named: accept, hold (answered and stored, but waits to be adopted) or refuse."
    ),
    key!(
        "devices.online_within_s",
        devices.online_within_s,
        "A device heard within so many seconds is online."
    ),
    key!(
        "devices.lease_hold_s",
        devices.lease_hold_s,
        "How long a command that was handed out counts as on its way."
    ),
    key!(
        "devices.attempts_max",
        devices.attempts_max,
        "How often a command is handed out before it is given up."
    ),
    key!(
        "devices.reply_window_s",
        devices.reply_window_s,
        "How long after it was handed out a command may be replied to."
    ),
    key!(
        "devices.command_life_s",
        devices.command_life_s,
        "How long a command waits for its device unless its maker says otherwise."
    ),
    key!(
        "accounts.registration",
        accounts.registration,
        "Who may make an account without an administrator: closed (nobody), invite (who has an invitation, made by\nPOST /api/v1/invites) or open (everybody who reaches the pages). Whoever did so sees the own devices alone."
    ),
    key!(
        "accounts.access_s",
        accounts.access_s,
        "Life of the access token that a script gets by signing in; from 60."
    ),
    key!(
        "accounts.refresh_s",
        accounts.refresh_s,
        "Life of the refresh token by which a script gets its next access token, anew each time; from 60."
    ),
    key!("accounts.session_s", accounts.session_s, "Life of a browser's sign-in; from 60."),
    key!(
        "alerts.send_time_ms",
        alerts.send_time_ms,
        "One try to deliver a message about an alert, from the look-up of the name to the end of the answer."
    ),
    key!(
        "alerts.retry_first_ms",
        alerts.retry_first_ms,
        "The wait after the first try that fails; each later one is twice as long, a fifth more or less."
    ),
    key!("alerts.retry_longest_s", alerts.retry_longest_s, "The longest wait between two tries."),
    key!(
        "alerts.attempts_max",
        alerts.attempts_max,
        "Tries after which a message is given up: POST /api/v1/deliveries/ID/retry has it tried again."
    ),
    key!(
        "alerts.roots",
        alerts.roots,
        "Roots beside the system's that vouch for receivers of webhooks and for the mail server: PEM file."
    ),
    key!(
        "alerts.webhook_refuse",
        alerts.webhook_refuse,
        "Networks that no webhook reaches, whatever name leads there. The default keeps them from the places where clouds\nkeep a machine's keys; add 127.0.0.0/8 and ::1 to keep them from this machine."
    ),
    key!("mail.host", mail.host, "The mail server that alerts are sent through. Empty: no mail is sent."),
    key!("mail.port", mail.port, "Its port. 0: 25, 587 or 465, as mail.security says."),
    key!(
        "mail.security",
        mail.security,
        "none (in the clear), starttls (TLS before anything is said, or no mail) or tls (from the first byte)."
    ),
    key!("mail.username", mail.username, "Who signs in at the mail server. Empty: nobody."),
    key!("mail.password", mail.password, "The password.", true),
    key!("mail.from", mail.from, "Who the mail is from, such as homeport@example.org or Oven watch <oven@example.org>."),
    key!(
        "retention.raw_days",
        retention.raw_days,
        "Days for which messages keep their exact bytes; 0 is for ever. The ledger's entries, with the digest of the\nbytes, stay in any case, and it can still be checked."
    ),
    key!(
        "retention.raw_bytes_max",
        retention.raw_bytes_max,
        "Exact bytes of all messages together: beyond it the oldest go; 0 is without bound."
    ),
    key!(
        "retention.telemetry_days",
        retention.telemetry_days,
        "Days for which values are kept; 0 is for ever. The newest value of each sensor stays."
    ),
    key!(
        "retention.telemetry_bytes_max",
        retention.telemetry_bytes_max,
        "Values of all devices together, in bytes of the pages that hold them (up to 64 KiB each): beyond it the oldest\ngo; 0 is without bound."
    ),
    key!(
        "retention.commands_days",
        retention.commands_days,
        "Days for which commands are kept to which nothing will happen any more; 0 is for ever."
    ),
    key!(
        "retention.audit_days",
        retention.audit_days,
        "Days for which the rows of the audit log are kept: who did what; 0 is for ever."
    ),
    key!(
        "retention.repeats_days",
        retention.repeats_days,
        "Days for which a message that comes again is known as a repeat; 0 is for ever."
    ),
    key!("limits.handshake_time_ms", limits.handshake_time_ms, "A TLS handshake, from accept to its end."),
    key!(
        "limits.tls_record_bytes_max",
        limits.tls_record_bytes_max,
        "Bytes in one TLS record on the https listener, 512 to 16384. Below 1536 old Mbed TLS can no longer put the\nhandshake together. Read at the start."
    ),
    key!(
        "limits.admin_tls_record_bytes_max",
        limits.admin_tls_record_bytes_max,
        "The same on the admin listener. Read at the start."
    ),
    key!(
        "limits.header_time_ms",
        limits.header_time_ms,
        "From the first byte of a request to the end of its header block."
    ),
    key!(
        "limits.idle_time_s",
        limits.idle_time_s,
        "A kept connection on which nothing is asked. Modules call once a minute and keep theirs."
    ),
    key!(
        "limits.body_time_ms",
        limits.body_time_ms,
        "A request's whole body, after its header block; of a file that is uploaded, each piece.\nModules wait 20 s for an answer."
    ),
    key!("limits.write_time_ms", limits.write_time_ms, "How long a client may refuse to take an answer."),
    key!("limits.drain_time_ms", limits.drain_time_ms, "How long requests may go on after the wish to stop."),
    key!(
        "limits.accept_pause_ms",
        limits.accept_pause_ms,
        "Longest wait before accepting again when descriptors or memory ran out."
    ),
    key!("limits.body_max_bytes", limits.body_max_bytes, "A device's request body."),
    key!(
        "limits.file_bytes_max",
        limits.file_bytes_max,
        "A file that devices may download. Equipment takes 2^31-1 bytes at most."
    ),
    key!(
        "limits.request_line_max_bytes",
        limits.request_line_max_bytes,
        "The request line. A message in a URL takes over 3 KiB."
    ),
    key!("limits.header_max_bytes", limits.header_max_bytes, "The header block without the request line."),
    key!("limits.header_max_count", limits.header_max_count, "Header lines of a request."),
    key!(
        "limits.connections_max_count",
        limits.connections_max_count,
        "Connections open at once on a listener; more wait."
    ),
    key!(
        "limits.peer_connections_max_count",
        limits.peer_connections_max_count,
        "Connections open at once from one address; more are closed."
    ),
    key!(
        "limits.writes_max_count",
        limits.writes_max_count,
        "Writes that may wait for the store; beyond it devices are told to come back. Read at the start."
    ),
    key!(
        "limits.batch_max_count",
        limits.batch_max_count,
        "Writes that are committed together. Read at the start."
    ),
    key!(
        "limits.batch_time_ms",
        limits.batch_time_ms,
        "How long writes that come while others are being committed wait for more to come; longer saves work when many
devices call at once. One that comes alone never waits. Read at the start."
    ),
    key!(
        "limits.device_messages_max_per_minute",
        limits.device_messages_max_per_minute,
        "Messages a minute of one device that calls, its equipment's among them; beyond it the device is told to come
back. 0 is any number."
    ),
    key!(
        "limits.device_commands_max_count",
        limits.device_commands_max_count,
        "Commands that may wait for one device that fetches."
    ),
    key!(
        "limits.logins_max_per_minute",
        limits.logins_max_per_minute,
        "Sign-ins that one network may try. Read at the start."
    ),
    key!(
        "limits.registrations_max_per_hour",
        limits.registrations_max_per_hour,
        "Accounts that one network may try to make. Read at the start."
    ),
    key!(
        "limits.hashes_max_count",
        limits.hashes_max_count,
        "Passwords hashed at once; each takes 19 MiB. Read at the start."
    ),
    key!(
        "limits.feed_max_count",
        limits.feed_max_count,
        "Events a slow watcher may be behind before it misses some. Read at the start."
    ),
    key!(
        "limits.streams_max_count",
        limits.streams_max_count,
        "Streams of events (/api/v1/stream) open at a time. Read at the start."
    ),
    key!(
        "limits.shutdown_time_s",
        limits.shutdown_time_s,
        "From the wish to stop to the end; what has not finished by then is cut."
    ),
    key!(
        "log.level",
        log.level,
        "error, warn, info, debug, trace, or directives such as info,homeport::net=debug."
    ),
    key!("log.format", log.format, "text, or json: one object a line."),
];
