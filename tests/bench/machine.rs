//! What the kernel says: a process's CPU time and memory, the disk's sync, and what others did meanwhile.

use std::collections::HashMap;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// CPU time of a process by its threads, in nanoseconds (`/proc/PID/task/*/schedstat`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpu(HashMap<String, u64>);

impl Cpu {
    pub(crate) fn of(pid: u32) -> Self {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let spent = threads.filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let spent = text.split_whitespace().next()?.parse().ok()?;
            Some((thread.file_name().to_string_lossy().into_owned(), spent))
        });
        Self(spent.collect())
    }

    /// Several processes as one, such as a master and its workers.
    pub(crate) fn of_all(pids: &[u32]) -> Self {
        Self(pids.iter().flat_map(|pid| Self::of(*pid).0).collect())
    }

    pub(crate) fn since(&self, before: &Self) -> Duration {
        let spent = |(thread, now): (&String, &u64)| {
            now - before.0.get(thread).copied().unwrap_or_default().min(*now)
        };
        Duration::from_nanos(self.0.iter().map(spent).sum())
    }
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// Where the machine's CPU time went, in ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ticks {
    all: u64,
    idle: u64,
    stolen: u64,
}

impl Ticks {
    pub(crate) fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        let at = |place: usize| ticks.get(place).copied().unwrap_or_default();
        Self { all: ticks.iter().take(8).sum(), idle: at(3) + at(4), stolen: at(7) }
    }

    /// Shares of all CPU time since: busy, and stolen by the host.
    pub(crate) fn since(self, before: Self) -> (f64, f64) {
        let all = (self.all - before.all).max(1) as f64;
        let idle = (self.idle - before.idle) as f64;
        let stolen = (self.stolen - before.stolen) as f64;
        ((all - idle - stolen) / all, stolen / all)
    }
}

/// How busy others keep the machine while nothing of ours runs: the share of all cores, and the stolen share.
pub(crate) async fn others() -> (f64, f64) {
    let before = Ticks::now();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    Ticks::now().since(before)
}

/// The median of `fdatasync` after overwriting 4 KiB, in microseconds: the least that a promise to keep costs here.
pub(crate) fn sync_p50_us(folder: &Path, times: usize) -> u64 {
    let path = folder.join("sync-probe");
    let mut file = fs::File::create(&path).expect("a file");
    file.write_all(&vec![0; 4 << 20]).expect("four megabytes");
    file.sync_all().expect("a sync");
    let mut took: Vec<u64> = (0..times)
        .map(|turn| {
            file.seek(SeekFrom::Start((turn as u64 % 1024) * 4096)).expect("a place");
            file.write_all(&[turn as u8; 4096]).expect("a page");
            let since = Instant::now();
            file.sync_data().expect("a sync");
            u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
        })
        .collect();
    drop(file);
    fs::remove_file(&path).ok();
    took.sort_unstable();
    took.get(times / 2).copied().unwrap_or_default()
}
