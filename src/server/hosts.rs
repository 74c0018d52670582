//! The machine's own names and addresses, for the certificate when the operator names none.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// What the operator named, else the machine's name, `localhost` and the machine's addresses.
pub(super) fn names(given: &[String]) -> Vec<String> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let mut names = vec!["localhost".to_owned()];
    names.extend(machine_name());
    names.push(Ipv4Addr::LOCALHOST.to_string());
    names.push("::1".to_owned());
    names.extend(addresses().iter().map(ToString::to_string));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names.truncate(NAMES_MAX);
    names
}

/// The URL at which others on the network reach a listener with TLS: under the first name that is not this machine's for
/// itself alone.
pub(super) fn url(hosts: &[String], port: u16) -> String {
    let at_home = |host: &&String| {
        **host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let host = hosts.iter().find(|host| !at_home(host)).or(hosts.first());
    let host = host.map_or("localhost", String::as_str);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") }
}

fn machine_name() -> Option<String> {
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())?;
    let name = name.trim().to_ascii_lowercase();
    let fits =
        name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    (fits && !name.is_empty() && name.parse::<IpAddr>().is_err()).then_some(name)
}

fn addresses() -> Vec<Ipv4Addr> {
    let listed = std::fs::read_to_string("/proc/net/fib_trie").map(|table| local(&table)).unwrap_or_default();
    if !listed.is_empty() {
        return listed;
    }
    // No packet is sent: the system only says which address it would use towards the outside.
    let outward = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        socket.local_addr().ok()
    };
    match outward().map(|addr| addr.ip()) {
        Some(IpAddr::V4(ip)) => vec![ip],
        Some(IpAddr::V6(_)) | None => Vec::new(),
    }
}

/// The machine's addresses in the kernel's table: a line with the address, then one that calls it local.
fn local(table: &str) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let mut last = None;
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line.starts_with("/32 host LOCAL")
            && let Some(address) = last.take()
            && !found.contains(&address)
            && !address.is_loopback()
        {
            found.push(address);
        }
    }
    found
}

/// A certificate must stay under 4096 bytes of PEM.
const NAMES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_are_found_in_the_kernels_table() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.0\n        /24 link UNICAST\n     |-- 192.0.2.7\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\nLocal:\n     |-- 192.0.2.7\n        /32 host LOCAL\n";
        assert_eq!(local(table), [Ipv4Addr::new(192, 0, 2, 7)]);
    }

    #[test]
    fn what_the_operator_names_is_all() {
        assert_eq!(names(&["a.example".to_owned()]), ["a.example"]);
        assert!(names(&[]).contains(&"localhost".to_owned()));
    }
}
