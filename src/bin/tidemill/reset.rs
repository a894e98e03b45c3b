//! `reset`: lets an application begin again.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use tidemill::log::Log;
use tidemill::reset::{Reset as Plan, ResetTo};
use tidemill::{Clock, SystemClock};

use crate::failure::Failure;
use crate::folder;
use crate::output::Lines;
use crate::time::When;

#[derive(Debug, Args)]
#[command(after_help = "\
The places in its inputs, its own topics (APPLICATION-..-changelog, ..-repartition and those of foreign-key joins) and its stores on \
disk: afterwards the application is as if it had never run, and its outputs still have what it wrote. Its program is not needed; \
of several applications a topic belongs to the one with the longest id that fits. Without `--yes` it says what it would do, and \
does nothing. The application must not run.

Examples:
  tidemill reset ./bank-data bank                        what would be done
  tidemill reset ./bank-data bank --yes                  do it
  tidemill reset ./bank-data bank --to 6h --yes          begin six hours ago
  tidemill reset ./bank-data bank --to end --yes         begin with what comes
  tidemill reset ./bank-data bank --input orders --yes   read `orders` again, and nothing else")]
pub(crate) struct Reset {
    /// The application's folder
    folder: PathBuf,

    /// The application's id
    application: String,

    /// Where it begins: `start`, `end`, or a time: milliseconds since 1970, a date in UTC, or how long ago (15m)
    #[arg(long, value_name = "PLACE", default_value = "start")]
    to: To,

    /// An input to begin again in, may be given several times; without it, all
    #[arg(long = "input", value_name = "TOPIC")]
    inputs: Vec<String>,

    /// Brokers of the Kafka cluster that the application runs on (host:port); FOLDER is then that of one of its processes
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "BROKERS")]
    kafka: Option<String>,

    /// A setting of the Kafka client, `key=value`, may be given several times
    #[cfg(feature = "kafka")]
    #[arg(long = "set", value_name = "SETTING", value_parser = crate::kafka::setting, requires = "kafka")]
    settings: Vec<(String, String)>,

    /// Really do it
    #[arg(long)]
    yes: bool,
}

/// Where to begin, on a command line.
#[derive(Clone, Copy, Debug)]
enum To {
    Start,
    End,
    Time(When),
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "start" => Ok(To::Start),
            "end" => Ok(To::End),
            time => time.parse().map(To::Time).map_err(|fault: String| format!("{fault}; or `start`, or `end`")),
        }
    }
}

impl Reset {
    pub(crate) fn run(self) -> Result<(), Failure> {
        #[cfg(feature = "kafka")]
        if let Some(brokers) = &self.kafka {
            use tidemill::log::kafka::{KafkaLog, KafkaSettings};
            let client = self.settings.iter().cloned().collect();
            let log = KafkaLog::open(KafkaSettings { client, ..KafkaSettings::new(brokers) })?;
            return if self.yes { self.carry_out(&log) } else { self.show(&log) };
        }
        if self.yes { self.carry_out(&folder::write(&self.folder)?) } else { self.show(&folder::read(&self.folder)?) }
    }

    fn plan(&self) -> Plan {
        let to = match self.to {
            To::Start => ResetTo::Start,
            To::End => ResetTo::End,
            To::Time(when) => ResetTo::Time(when.from(SystemClock.now())),
        };
        let plan = Plan::of(&*self.application).to(to).folder(&self.folder);
        if self.inputs.is_empty() { plan } else { plan.inputs(self.inputs.iter().map(String::as_str)) }
    }

    fn show(&self, log: &dyn Log) -> Result<(), Failure> {
        let plan = self.plan().plan(log)?;
        if plan.is_empty() {
            return self.nothing(log);
        }
        let mut out = Lines::new();
        plan.to_string().lines().try_for_each(|line| out.line(line))?;
        out.flush()?;
        let application = &self.application;
        eprintln!("nothing was changed; repeat the command with `--yes` to do this while `{application}` does not run");
        Ok(())
    }

    fn carry_out(&self, log: &dyn Log) -> Result<(), Failure> {
        let plan = self.plan().plan(log)?;
        if plan.is_empty() {
            return self.nothing(log);
        }
        plan.carry_out(log)?;
        let mut out = Lines::new();
        plan.to_string().lines().try_for_each(|line| out.line(line))?;
        out.flush()
    }

    /// That there is nothing to do may be a slip of the pen.
    fn nothing(&self, log: &dyn Log) -> Result<(), Failure> {
        let known = log.applications()?;
        if known.contains(&self.application) {
            eprintln!("there is nothing to do: `{}` begins there anyway, and has nothing of its own", self.application);
            return Ok(());
        }
        let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(Failure::new(format!("application `{}` has nothing here; these have: {known}", self.application)))
    }
}
