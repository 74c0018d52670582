//! Who listens on which port, as the kernel tells it under `/proc`.

use std::fs;
use std::path::Path;

/// A program that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// Its process number and name; `None` when this user may not know.
    pub(super) process: Option<(u32, String)>,
}

/// Who listens on a TCP port of this machine, on whatever address.
pub(super) fn holder(port: u16) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let mut text = tables.iter().filter_map(|table| fs::read_to_string(table).ok());
    let inode = text.find_map(|table| listening(&table, port))?;
    Some(Holder { process: process(&format!("socket:[{inode}]")) })
}

/// The socket that listens on a port, in the kernel's table.
fn listening(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_whitespace();
        let (_, local) = words.nth(1)?.rsplit_once(':')?;
        let state = words.nth(1)?;
        let inode = words.nth(5)?.parse().ok()?;
        (u16::from_str_radix(local, 16).ok()? == port && state == LISTEN).then_some(inode)
    })
}

/// The process that has a socket open.
fn process(socket: &str) -> Option<(u32, String)> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let has = fs::read_dir(entry.path().join("fd"))
            .ok()?
            .flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|aim| aim == Path::new(socket)));
        let name = || fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        has.then(|| (number, name().trim().to_owned()))
    })
}

/// The kernel's number for a socket that listens.
const LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     0: 0100007F:20FB 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 11111 1\n\
                     1: 00000000:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 54321 1\n";
        assert_eq!(listening(table, 8443), Some(54321));
        assert_eq!(listening(table, 443), None);
    }

    #[test]
    fn we_find_ourselves() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = holder(socket.local_addr().unwrap().port()).unwrap();
        assert_eq!(holder.process.map(|(number, _)| number), Some(std::process::id()));
    }
}
