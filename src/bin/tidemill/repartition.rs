//! `repartition`: a topic gets another number of partitions.

use std::path::PathBuf;

use clap::Args;
use tidemill::log::Log;
use tidemill::repartition::Repartition as Plan;

use crate::failure::Failure;
use crate::output::Lines;
use crate::{folder, progress};

#[derive(Debug, Args)]
#[command(after_help = "\
Each record goes where Kafka's partitioner puts its key. Records of one key stay in their order; those of several partitions come together \
by their times. Applications that have read the topic must be reset before (`tidemill reset`): their places and their state \
are cut by the partitions that it had. Afterwards they process all records that the topic keeps, and write what comes of them again. Topics \
that are joined must have equally many partitions: repartition all of them. It needs room for the topic twice.

Without `--yes` it says what it would do, and does nothing. No application may have the folder open. If it is interrupted, run it \
again with the same number: no record is lost meanwhile.

Examples:
  tidemill repartition ./bank-data operations --partitions 6          what would be done
  tidemill reset ./bank-data bank --yes                               if it says so
  tidemill repartition ./bank-data operations --partitions 6 --yes    do it")]
pub(crate) struct Repartition {
    /// The application's folder
    folder: PathBuf,

    /// The topic
    topic: String,

    /// How many partitions it gets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: u32,

    /// Really do it
    #[arg(long)]
    yes: bool,
}

impl Repartition {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.yes { self.carry_out(&folder::write(&self.folder)?) } else { self.show(&folder::read(&self.folder)?) }
    }

    fn show(&self, log: &dyn Log) -> Result<(), Failure> {
        print(&Plan::plan(log, &self.topic, self.partitions)?)?;
        eprintln!("nothing was changed; repeat the command with `--yes` to do this while no application runs");
        Ok(())
    }

    fn carry_out(&self, log: &dyn Log) -> Result<(), Failure> {
        let plan = Plan::plan(log, &self.topic, self.partitions)?;
        let bar = progress::records("placing", 2 * plan.records_max);
        let done = plan.carry_out(log, &mut |written| bar.set_position(written));
        bar.finish_and_clear();
        done?;
        print(&plan)
    }
}

fn print(plan: &Plan) -> Result<(), Failure> {
    let mut out = Lines::new();
    plan.to_string().lines().try_for_each(|line| out.line(line))?;
    out.flush()
}
