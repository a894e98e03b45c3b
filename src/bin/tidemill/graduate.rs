//! `graduate`: an application's folder moves to Kafka.

use std::path::PathBuf;

use clap::Args;
use indicatif::HumanBytes;
use tidemill::graduate::Graduation;
use tidemill::log::Log;
use tidemill::log::kafka::{KafkaLog, KafkaSettings};

use crate::failure::Failure;
use crate::output::Lines;
use crate::{folder, kafka, progress};

#[derive(Debug, Args)]
#[command(after_help = "\
Everything that lies in the folder moves: topics with their records in order, times, headers and settings, state by its changelogs, how far \
applications and feeds are. Then the program starts with `App::kafka` in place of `App::embedded` and goes on with the next record. Topics \
that the cluster has already must be empty and have as many partitions. The folder stays as it is: it is the way back, until the \
application has run on the cluster.

Without `--yes` it says what it would do, and does nothing. The application must not run, here or there, until the command has ended. If it \
is interrupted, run it again: what it had made is deleted and made anew.

Examples:
  tidemill graduate ./bank-data --kafka localhost:9092         what would be moved
  tidemill graduate ./bank-data --kafka localhost:9092 --yes   do it
  tidemill graduate ./bank-data --kafka broker:9093 --replication 3 --set security.protocol=ssl")]
pub(crate) struct Graduate {
    /// The application's folder
    folder: PathBuf,

    /// Brokers of the Kafka cluster (host:port)
    #[arg(long, value_name = "BROKERS")]
    kafka: String,

    /// On how many brokers topics lie; without it what the brokers say
    #[arg(long, value_name = "N")]
    replication: Option<u16>,

    /// A setting of the Kafka client, `key=value`, may be given several times
    #[arg(long = "set", value_name = "SETTING", value_parser = kafka::setting)]
    settings: Vec<(String, String)>,

    /// Really do it
    #[arg(long)]
    yes: bool,
}

impl Graduate {
    pub(crate) fn run(self) -> Result<(), Failure> {
        folder::check(&self.folder)?;
        let (client, replication) = (self.settings.iter().cloned().collect(), self.replication);
        let open = || KafkaLog::open(KafkaSettings { client, replication, ..KafkaSettings::new(&self.kafka) });
        if !self.yes {
            let from = folder::read(&self.folder)?;
            print(&Graduation::plan(&from, &open()?)?)?;
            eprintln!("nothing was moved; repeat the command with `--yes` to do this while no application runs");
            return Ok(());
        }
        let from = folder::write(&self.folder)?;
        self.carry_out(&from, &open()?)
    }

    fn carry_out(&self, from: &dyn Log, to: &dyn Log) -> Result<(), Failure> {
        let graduation = Graduation::plan(from, to)?;
        let records = graduation.topics.iter().map(|topic| topic.records_max).sum();
        let bar = progress::records("moving", records);
        let moved = graduation.carry_out(from, to, &mut |moved| bar.set_position(moved.records));
        bar.finish_and_clear();
        let moved = moved?;
        print(&graduation)?;
        eprintln!(
            "moved {} records, {}: start the program with `.kafka(\"{}\")` in place of `.embedded(..)`",
            moved.records,
            HumanBytes(moved.bytes),
            self.kafka
        );
        Ok(())
    }
}

fn print(graduation: &Graduation) -> Result<(), Failure> {
    let mut out = Lines::new();
    graduation.to_string().lines().try_for_each(|line| out.line(line))?;
    out.flush()
}
