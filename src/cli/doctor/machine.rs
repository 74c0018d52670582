//! The machine: its clock, and the disk under the data folder.

use std::path::Path;
use std::time::UNIX_EPOCH;

use rustix::fs::statvfs;

use super::{Finding, Patient};

pub(super) fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = clock(patient);
    findings.extend(disk(&patient.config.data_dir));
    findings
}

fn clock(patient: &Patient<'_>) -> Vec<Finding> {
    let fix = "set the clock and keep it right with NTP (`timedatectl set-ntp true`)";
    let now = jiff::Timestamp::from_second(patient.now_s).map(|now| now.to_string()).unwrap_or_default();
    if patient.now_s < OLDEST_S {
        return vec![Finding::wrong(
            "clock",
            format!("it is {now} here: certificates are not valid yet"),
            fix,
        )];
    }
    let newest = newest_file_s(&patient.config.data_dir).unwrap_or(0);
    if newest > patient.now_s + AHEAD_S {
        let back = newest - patient.now_s;
        let message =
            format!("it is {now} here, {back} s before the newest file of the data folder was written");
        return vec![Finding::wrong("clock", message, fix)];
    }
    let has = |path: &str| Path::new(path).exists();
    let kept = ["/run/systemd/timesync/synchronized", "/run/chrony", "/run/ntpd.pid", "/run/openntpd.pid"];
    // Containers have their host's clock, and nothing that tells of it.
    if has("/run/systemd/system") && !kept.iter().any(|path| has(path)) {
        return vec![Finding::note(
            "clock",
            format!("it is {now} here, and nothing is seen that keeps it right"),
            fix,
        )];
    }
    vec![Finding::ok("clock", format!("it is {now} here"))]
}

/// When the store or something beside it was last written.
fn newest_file_s(dir: &Path) -> Option<i64> {
    let stamps = std::fs::read_dir(dir).ok()?.flatten().filter_map(|entry| {
        let changed = entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(changed.as_secs()).ok()
    });
    stamps.max()
}

fn disk(dir: &Path) -> Vec<Finding> {
    let shown = dir.display();
    if !dir.exists() {
        return vec![Finding::note("disk", format!("{shown} is not there"), "the first start makes it")];
    }
    let mut findings = Vec::new();
    let trial = dir.join(".homeport-doctor");
    match std::fs::write(&trial, b"x").and_then(|()| std::fs::remove_file(&trial)) {
        Ok(()) => findings.push(Finding::ok("disk", format!("{shown} can be written"))),
        Err(error) => findings.push(Finding::wrong(
            "disk",
            format!("{shown} cannot be written: {error}"),
            "give the folder to the user that runs homeport; look for a full or read-only disk",
        )),
    }
    match statvfs(dir) {
        Ok(facts) => {
            let free = facts.f_bavail.saturating_mul(facts.f_frsize);
            findings.push(room(free, facts.f_favail, facts.f_files));
        }
        Err(error) => findings.push(Finding::note(
            "disk",
            format!("its free space is not told: {error}"),
            "look at `df`",
        )),
    }
    findings
}

/// A file system without a fixed number of files says that it has none in all.
fn room(free_bytes: u64, free_files: u64, all_files: u64) -> Finding {
    let fix = "free some space, or shorten what is kept";
    let mib = free_bytes / (1 << 20);
    if all_files > 0 && free_files < 100 {
        return Finding::wrong("disk", format!("it takes only {free_files} more files"), fix);
    }
    match mib {
        0..100 => Finding::wrong("disk", format!("{mib} MiB are free"), fix),
        100..1024 => Finding::note("disk", format!("{mib} MiB are free"), fix),
        _ => Finding::ok("disk", format!("{mib} MiB are free")),
    }
}

/// 2026-01-01: before it nothing of this program existed.
const OLDEST_S: i64 = 1_767_225_600;
const AHEAD_S: i64 = 120;

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_clock_of_1970_and_one_that_went_back_are_wrong() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("homeport.db"), b"").unwrap();
        let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
        let written = newest_file_s(dir.path()).unwrap();
        let at = |now_s| clock(&Patient { config: &config, server: None, hosts: Vec::new(), now_s })[0].level;
        assert_eq!(at(3_600), Level::Wrong);
        assert_eq!(at(written - 1_000), Level::Wrong);
        assert_ne!(at(written + 1), Level::Wrong);
    }

    #[test]
    fn room_runs_out_by_bytes_and_by_files() {
        assert_eq!(room(1 << 40, 1 << 20, 1 << 21).level, Level::Ok);
        assert_eq!(room(1 << 40, 0, 0).level, Level::Ok);
        assert_eq!(room(500 << 20, 1 << 20, 1 << 21).level, Level::Note);
        assert_eq!(room(5 << 20, 1 << 20, 1 << 21).level, Level::Wrong);
        assert_eq!(room(1 << 40, 3, 1 << 21).level, Level::Wrong);
    }
}
