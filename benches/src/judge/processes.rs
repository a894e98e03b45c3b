//! What processes have used, as the operating system counts it. Where there is no `/proc`, that is 0.

use std::collections::BTreeMap;
use std::time::Instant;

/// Clock ticks of `/proc` in a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the clocks show at one moment of a process, its children, and the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    wall: Instant,
    cpu: f64,
    judge: f64,
    machine: (f64, f64),
}

impl Mark {
    /// Of a process that is about to start.
    pub(crate) fn before() -> Mark {
        Mark::with(0.0)
    }

    pub(crate) fn of(process: u32) -> Mark {
        Mark::with(family(process).iter().map(|member| member.cpu).sum())
    }

    fn with(cpu: f64) -> Mark {
        let judge = Stat::of(std::process::id()).map_or(0.0, |stat| stat.cpu);
        Mark { wall: Instant::now(), cpu, judge, machine: crate::machine::machine() }
    }

    pub(crate) fn wall_since(&self, start: &Mark) -> f64 {
        (self.wall - start.wall).as_secs_f64()
    }

    pub(crate) fn cpu_since(&self, start: &Mark) -> f64 {
        self.cpu - start.cpu
    }

    /// CPU seconds of this process.
    pub(crate) fn judge_since(&self, start: &Mark) -> f64 {
        self.judge - start.judge
    }

    /// CPU seconds of everything else: brokers, and what is nobody's business here.
    pub(crate) fn others_since(&self, start: &Mark) -> f64 {
        (self.machine.0 - start.machine.0 - self.cpu_since(start) - self.judge_since(start)).max(0.0)
    }

    /// CPU seconds that the host took.
    pub(crate) fn stolen_since(&self, start: &Mark) -> f64 {
        self.machine.1 - start.machine.1
    }
}

/// The most memory that a process and its children had, in MB.
pub(crate) fn rss_peak_mb(process: u32) -> f64 {
    family(process).iter().map(|member| crate::machine::rss_peak_mb_of(&member.id.to_string())).sum()
}

struct Stat {
    id: u32,
    parent: u32,
    /// With that of children that have ended.
    cpu: f64,
}

impl Stat {
    fn of(process: u32) -> Option<Stat> {
        Stat::read(process, &std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    fn read(id: u32, text: &str) -> Option<Stat> {
        // The name before it may have anything in it.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<f64>().unwrap_or(0.0)).sum::<f64>();
        Some(Stat { id, parent: fields.get(1)?.parse().ok()?, cpu: ticks / TICKS_PER_SECOND })
    }
}

/// A process and those that descend from it.
fn family(process: u32) -> Vec<Stat> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut all: BTreeMap<u32, Stat> = ids.filter_map(Stat::of).map(|stat| (stat.id, stat)).collect();
    let (mut found, mut next) = (Vec::new(), vec![process]);
    while let Some(id) = next.pop() {
        next.extend(all.values().filter(|stat| stat.parent == id).map(|stat| stat.id));
        found.extend(all.remove(&id));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_system_is_read_whatever_the_program_is_called() {
        let line = "7 (a (b) c) S 3 7 7 0 -1 4194560 1 2 3 4 150 50 20 30 20 0 1 0 5 6 7";
        let stat = Stat::read(7, line).unwrap();
        assert_eq!((stat.id, stat.parent, stat.cpu), (7, 3, 2.5));
        assert!(Stat::read(7, "7 (cut off) S 3").is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn children_belong_to_the_family() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let ids: Vec<u32> = family(std::process::id()).iter().map(|member| member.id).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ids.contains(&std::process::id()) && ids.contains(&child.id()), "{ids:?}");
    }
}
