//! CPU time of processes from the operating system's accounting: user and system time of every thread.

use std::fs;
use std::time::Duration;

/// A process whose descendants count as well: PostgreSQL's backends, the gateway's compiling children.
#[derive(Debug, Clone, Copy)]
pub struct Tree(pub u32);

/// CPU time that these trees have used so far. Differences of two readings are what is meant to be used.
pub fn used(trees: &[Tree]) -> Duration {
    let processes = all_processes();
    trees.iter().map(|tree| of_tree(tree.0, &processes)).sum()
}

#[derive(Debug, Clone, Copy)]
struct Process {
    pid: u32,
    parent: u32,
    ticks: u64,
    /// Of children that ended and were waited for.
    ended_ticks: u64,
}

fn of_tree(root: u32, processes: &[Process]) -> Duration {
    let mut ticks = 0;
    let mut todo = vec![root];
    while let Some(pid) = todo.pop() {
        ticks += processes
            .iter()
            .find(|process| process.pid == pid)
            .map_or(0, |p| p.ticks + p.ended_ticks);
        todo.extend(
            processes
                .iter()
                .filter(|process| process.parent == pid)
                .map(|p| p.pid),
        );
    }
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn all_processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// `/proc/PID/stat` (proc(5)): the name may hold spaces and parentheses, so fields are counted from its end.
fn parse(pid: u32, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat[stat.rfind(')')? + 2..].split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        ticks: ticks(11)? + ticks(12)?,
        ended_ticks: ticks(13)? + ticks(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_parent_are_read_behind_the_name() {
        let stat = "42 (a) b) S 7 42 42 0 -1 4194304 100 0 0 0 11 22 3 4 20 0 1 0 5 0 0";
        let process = parse(42, stat).expect("a readable line");
        assert_eq!(
            (process.parent, process.ticks, process.ended_ticks),
            (7, 33, 7)
        );
    }

    #[test]
    fn a_process_that_works_uses_time() {
        let tree = [Tree(std::process::id())];
        let before = used(&tree);
        let mut sum = 0_u64;
        while used(&tree) < before + Duration::from_millis(20) {
            sum = std::hint::black_box((0..10_000).sum::<u64>() ^ sum);
        }
    }
}
