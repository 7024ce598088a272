//! What a table must say about where it was made: processor, memory, kernel, file system, revision.

use std::fs;
use std::process::Command;

/// Lines of Markdown.
pub fn describe() -> String {
    let lines = [
        format!("- processor: {} × {}", cores(), processor()),
        format!(
            "- memory: {}",
            field("/proc/meminfo", "MemTotal").unwrap_or_else(unknown)
        ),
        format!("- kernel: {}", read("/proc/sys/kernel/osrelease")),
        format!(
            "- revision: {}",
            output("git", &["describe", "--always", "--dirty", "--abbrev=12"])
        ),
        format!("- date: {}", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        format!("- load before the run: {}", read("/proc/loadavg")),
    ];
    lines.join("\n")
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn processor() -> String {
    field("/proc/cpuinfo", "model name").unwrap_or_else(unknown)
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(file: &str) -> String {
    fs::read_to_string(file).map_or_else(|_| unknown(), |text| text.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success());
    output.map_or_else(unknown, |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}

fn unknown() -> String {
    "unknown".to_owned()
}
