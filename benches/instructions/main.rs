//! Instructions that a record costs, counted: `cargo bench -p tidemill-benches --bench instructions [-- NAME..]`.
//!
//! Valgrind counts the same for the same program, whatever else the machine has to do, where a clock does not. So this is
//! what shows whether a change made the way of a record longer. It says nothing of memory that is far away.
//!
//! `--profile DIR` keeps what callgrind wrote, for `callgrind_annotate --inclusive=yes FILE`.

#[path = "../micro/stateful.rs"]
mod stateful;
#[path = "../micro/task.rs"]
mod task;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use stateful::{JoinOn, Stateful};
use task::Bench;

/// Records that are counted.
const RECORDS: u32 = 10_000;
/// Distinct keys, of operators with windows as well.
const KEYS: u64 = 1_000;
/// Records before those that are counted, in rounds: until buffers have grown, and a few windows are over.
const ROUNDS_BEFORE: u32 = 10;

/// Runs a workload of this many records.
type Run = Box<dyn FnMut(u32)>;

/// A workload: its name, and what makes it.
type Workload = (&'static str, fn() -> Run);

/// The workloads.
const WORKLOADS: [Workload; 16] = [
    ("pass", || same(Bench::pass())),
    ("stateless", || same(Bench::stateless())),
    ("count", || same(Bench::count())),
    ("count_to_topic", || same(Bench::count_to_topic())),
    ("windowed_count", || moving_on(Stateful::windowed_count)),
    ("hopping_count", || moving_on(Stateful::hopping_count)),
    ("session_count", || moving_on(Stateful::session_count)),
    ("sliding_count", || moving_on(Stateful::sliding_count)),
    ("join_streams", || moving_on(Stateful::join_streams)),
    ("outer_join_streams", || moving_on(Stateful::outer_join_streams)),
    ("join_tables", || moving_on(Stateful::join_tables)),
    ("deduplicate", || moving_on(Stateful::deduplicate)),
    ("top_n", || moving_on(Stateful::top_n)),
    ("map_async", || moving_on(Stateful::map_async)),
    ("calendar_count", || moving_on(Stateful::calendar_count)),
    ("join_on_in_driver", || {
        let mut join = JoinOn::new(KEYS);
        Box::new(move |records| run_counted(|| join.run(records.into())))
    }),
];

/// The same records again and again.
fn same(mut bench: Bench) -> Run {
    let batch = task::batch(RECORDS, KEYS);
    Box::new(move |_| run_counted(|| bench.run(&batch)))
}

/// Records whose times move on.
fn moving_on(make: fn(u64) -> Stateful) -> Run {
    let mut bench = make(KEYS);
    Box::new(move |records| {
        let round = bench.next_round(records.into());
        run_counted(|| bench.run(&round));
    })
}

/// What is counted: valgrind is told the name of this function.
#[inline(never)]
fn run_counted(run: impl FnOnce()) {
    run();
}

/// Instructions in `run_counted` while a workload goes through so many rounds.
fn count(workload: &str, rounds: u32, profile: Option<&PathBuf>) -> anyhow::Result<u64> {
    let out = match profile {
        Some(folder) => folder.join(format!("callgrind.{workload}.{rounds}")),
        None => PathBuf::from("/dev/null"),
    };
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*run_counted*"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display())).arg(std::env::current_exe()?);
    valgrind.args(["--run", workload, &rounds.to_string()]);
    let output =
        valgrind.output().context("valgrind does not run: install it, on Debian with `apt install valgrind`")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("`{workload}` does not run under valgrind: {said}");
    }
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, number) = collected.with_context(|| format!("valgrind did not say what it collected: {said}"))?;
    Ok(number.trim().parse()?)
}

fn run(workload: &str, rounds: u32) -> anyhow::Result<()> {
    let known = WORKLOADS.iter().find(|(name, _)| *name == workload);
    let (_, make) = known.with_context(|| format!("there is no workload `{workload}`"))?;
    let mut run = make();
    (0..rounds).for_each(|_| run(RECORDS));
    Ok(())
}

fn main() -> anyhow::Result<()> {
    // Cargo adds the flag `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut asked, mut profile) = (Vec::new(), None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--run" => {
                let workload = arguments.next().context("`--run` takes a workload and a number of rounds")?;
                return run(&workload, arguments.next().unwrap_or_default().parse()?);
            }
            "--profile" => profile = Some(arguments.next().context("`--profile` takes a folder")?.into()),
            _ => asked.push(argument),
        }
    }
    if let Some(unknown) = asked.iter().find(|asked| WORKLOADS.iter().all(|(name, _)| name != asked)) {
        bail!("there is no workload `{unknown}`; there are {}", WORKLOADS.map(|(name, _)| name).join(", "));
    }
    println!("{:20} instructions per record", "");
    for (workload, _) in WORKLOADS.iter().filter(|(name, _)| asked.is_empty() || asked.iter().any(|a| a == name)) {
        let before = count(workload, ROUNDS_BEFORE, profile.as_ref())?;
        let with = count(workload, ROUNDS_BEFORE + 1, profile.as_ref())?;
        println!("{workload:20} {:10.0}", (with - before) as f64 / f64::from(RECORDS));
    }
    Ok(())
}
