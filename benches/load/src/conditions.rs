//! Under what conditions a benchmark ran. Printed above its table: figures without them mean nothing.

use std::fs::{File, read_to_string};
use std::io::{Seek, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::figures::percentile;

/// The lines to print.
///
/// # Errors
/// When the folder cannot be written to.
pub fn describe(folder: &Path, postgres: &str) -> anyhow::Result<Vec<String>> {
    let model = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("unknown")
        .trim_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut fsyncs = measure_fsync(folder)?;
    let (middle, worst) = (percentile(&mut fsyncs, 0.5), percentile(&mut fsyncs, 0.99));
    Ok(vec![
        format!(
            "processor: {model}; cores this run may use: {cores}; load average at the start: {load}"
        ),
        format!(
            "kernel {}; {}",
            kernel.trim(),
            output("rustc", &["--version"])
        ),
        format!("{postgres}; SQLite bundled, WAL, synchronous=FULL"),
        // The report is kept with the project: where on this machine it was measured is nobody's business.
        format!("fdatasync of 4 KiB where the databases are: median {middle} µs, p99 {worst} µs"),
        "server, database, load generator and simulators share these cores, over loopback"
            .to_owned(),
    ])
}

/// Microseconds of 200 small synced writes.
fn measure_fsync(folder: &Path) -> anyhow::Result<Vec<u32>> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    let block = [7u8; 4096];
    let mut times = Vec::new();
    for turn in 0..200u64 {
        let began = Instant::now();
        file.seek(std::io::SeekFrom::Start(turn * 4096))?;
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(began.elapsed().as_micros() as u32);
    }
    std::fs::remove_file(path)?;
    Ok(times)
}

fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
        .unwrap_or_default()
}
