//! The machine a figure was measured on.

use std::fs;

/// One line: date, processor, cores, memory, kernel, build.
pub fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| text.lines().find(|line| line.starts_with("model name")).map(str::to_owned))
        .and_then(|line| line.split(':').nth(1).map(|name| name.trim().to_owned()))
        .unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| text.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()))
        .map_or(0, |kilobytes| kilobytes / 1024 / 1024);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    let day = connect::Clock::now(&connect::SystemClock::default());
    format!("{}: {cpu}, {cores} cores, {memory} GiB, Linux {}, {build}", day.strftime("%Y-%m-%d"), kernel.trim())
}

/// Resident memory of a process in bytes, as the kernel counts it.
pub fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
