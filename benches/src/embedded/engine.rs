//! The measured process: does the work in a folder whose input is there, and prints what it took.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use tidemill::App;

use super::application::start;
use super::{RESULT, RUNNING, append, latency};
use crate::line::Measured;
use crate::machine::{self, Mark};
use crate::options::{Options, Workload};
use crate::topologies::OUT;

/// How often the judge in this process looks whether all is done.
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub(crate) fn run(options: &Options, data: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let measured = match options.workload {
        Workload::Append => append::measure(options, data)?,
        Workload::Latency => runtime.block_on(latency::measure(options, data))?,
        _ => runtime.block_on(measure(options, data))?,
    };
    println!("{RESULT}{}", serde_json::to_string(&measured)?);
    Ok(())
}

async fn measure(options: &Options, data: &Path) -> Result<Measured> {
    let load = machine::load();
    let begin = Mark::with_this_thread();
    let app = start(options, data).await?;
    println!("{RUNNING} restored={}", app.restored());
    let start = Mark::now();
    let measured = match options.workload {
        _ if options.once_by_key() && !options.fill => {
            let end = Mark::with_this_thread();
            let restored = Some(app.restored());
            let restore_s = Some(machine::rounded(end.wall_since(&begin)));
            let cpu_s = machine::rounded(end.cpu());
            let records_per_cpu_s = (options.keys() as f64 / end.cpu()).round() as u64;
            let measured = Measured::between(&begin, &end, options.keys(), load);
            Measured { cpu_s, records_per_cpu_s, restored, restore_s, ..measured }
        }
        Workload::Startup => {
            let mut output = app.subscribe(&tidemill::Topic::<Option<Vec<u8>>, Vec<u8>>::of(OUT))?;
            if !matches!(output.next().await, Some(Ok(_))) {
                bail!("the application ended before its output came");
            }
            Measured::between(&begin, &Mark::with_this_thread(), 1, load)
        }
        _ => until_done(options, &app, &start, load)?,
    };
    app.close().await?;
    Ok(measured)
}

/// Looks on until every record is processed and committed.
fn until_done(options: &Options, app: &App, start: &Mark, load: String) -> Result<Measured> {
    let records: u64 = options.sets().iter().map(|set| set.size).sum();
    let mut half = None;
    loop {
        let left = app.backlog()?;
        if half.is_none() && left * 2 <= records {
            half = Some(Mark::now());
        }
        if left == 0 {
            break;
        }
        if Mark::now().wall_since(start) > options.timeout().as_secs_f64() {
            bail!("gave up with {left} records left; see `--timeout-s`");
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let end = Mark::now();
    let measured = Measured::between(start, &end, records, load);
    Ok(Measured { cpu_from_spawn_s: Some(machine::rounded(end.cpu())), ..measured }
        .with_second_half(half.as_ref(), &end))
}
