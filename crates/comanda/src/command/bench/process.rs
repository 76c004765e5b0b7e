//! What the system knows of a process: its time and memory.

/// This process, instead of a process id.
pub(super) const SELF: &str = "self";

/// User and system time so far, in seconds.
pub(super) fn cpu_s(process: &str) -> f64 {
    /// Ticks per second of /proc on Linux.
    const TICKS: f64 = 100.0;
    let stat = read(process, "stat");
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect::<Vec<_>>()).unwrap_or_default();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS
}

/// The most memory it has held, in MiB.
pub(super) fn peak_memory_mib(process: &str) -> f64 {
    field_mib(&read(process, "status"), "VmHWM:")
}

/// The memory that it holds now, in MiB: resident, and its share of it.
pub(super) fn memory_mib(process: &str) -> (f64, f64) {
    let rollup = read(process, "smaps_rollup");
    (field_mib(&rollup, "Rss:"), field_mib(&rollup, "Pss:"))
}

fn field_mib(text: &str, field: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

fn read(process: &str, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default()
}
