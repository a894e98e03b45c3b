//! `import`: appends what `export` wrote.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use clap::Args;
use tidemill::log::{Append, EmbeddedLog, Log, Notes, TopicSpec};
use tidemill::record::{BatchBuilder, Offset, TopicPartition};

use super::json_lines::{record_of, topic_of};
use crate::failure::Failure;
use crate::folder;

/// So many bytes are appended at a time, all or nothing.
const APPEND_BYTES: usize = 4 << 20;

#[derive(Debug, Args)]
#[command(after_help = "\
The topic is made with the settings of the first line if it is missing. Records keep partition, timestamp, headers, key and \
value, and get the next offsets of their partitions: in an empty topic those that they had, where none were missing between \
them. Records are appended in pieces, each of them durable; after an error the message says at which line to go on. No \
application may have the folder open.

Examples:
  tidemill log import ./bank-data movements.jsonl
  tidemill log import ./bank-data movements.jsonl --topic movements-of-monday
  tidemill log import ./bank-data movements.jsonl --from-line 90001
  zcat movements.jsonl.gz | tidemill log import ./bank-data -")]
pub(crate) struct Import {
    /// The application's folder
    folder: PathBuf,

    /// What `export` wrote; `-` for standard input
    file: PathBuf,

    /// Into this topic, in place of the one that was exported
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,

    /// Leave out the records before this line; the first line is the topic's and always read
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(2..))]
    from_line: u64,
}

impl Import {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let shown = self.file.display().to_string();
        let input: Box<dyn BufRead> = match shown.as_str() {
            "-" => Box::new(io::stdin().lock()),
            _ => {
                let file = File::open(&self.file);
                Box::new(BufReader::new(file.map_err(|cause| Failure::new(format!("cannot read `{shown}`: {cause}")))?))
            }
        };
        let mut lines = (1_u64..).zip(input.lines());
        let fault = |line: u64, reason: String| Failure::new(format!("{shown}, line {line}: {reason}"));
        let first = lines.next().map(|(_, line)| line).unwrap_or_else(|| Ok(String::new()));
        let first = first.map_err(|cause| fault(1, cause.to_string()))?;
        let mut spec = topic_of(&first).map_err(|reason| fault(1, reason))?;
        if let Some(name) = self.topic {
            spec.name = name.into();
        }
        let log = folder::write(&self.folder)?;
        log.create_topic(&spec)?;
        let mut piece = Piece::new(&log, spec, self.from_line);
        for (number, line) in lines.filter(|(number, _)| *number >= self.from_line) {
            let added = line.map_err(|cause| cause.to_string()).and_then(|line| piece.add(&line));
            if let Err(reason) = added {
                let going_on = piece.going_on();
                return Err(fault(number, format!("{reason}; {going_on}")));
            }
            if piece.bytes >= APPEND_BYTES {
                piece.append(number)?;
            }
        }
        let end = piece.line;
        piece.append(end)?;
        eprintln!("appended {} records to topic `{}`", piece.appended, piece.spec.name);
        Ok(())
    }
}

/// Records that are appended together.
struct Piece<'a> {
    log: &'a EmbeddedLog,
    spec: TopicSpec,
    records: BTreeMap<u32, BatchBuilder>,
    count: u64,
    bytes: usize,
    appended: u64,
    /// The first line that was not appended.
    line: u64,
}

impl<'a> Piece<'a> {
    fn new(log: &'a EmbeddedLog, spec: TopicSpec, line: u64) -> Self {
        Piece { log, spec, records: BTreeMap::new(), count: 0, bytes: 0, appended: 0, line }
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let record = record_of(line)?;
        if record.partition >= self.spec.partitions {
            let known = self.spec.partitions;
            return Err(format!("there is no partition {}: the topic has {known}, counted from 0", record.partition));
        }
        let to = self.records.entry(record.partition).or_default();
        let before = to.size();
        to.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
        self.bytes += to.size() - before;
        self.count += 1;
        Ok(())
    }

    /// Appends what was added; `line` was the last one.
    fn append(&mut self, line: u64) -> Result<(), Failure> {
        let of = |(partition, mut records): (u32, BatchBuilder)| Append {
            to: TopicPartition::new(self.spec.name.clone(), partition),
            records: records.finish(Offset::ZERO),
        };
        let appends: Vec<Append> = std::mem::take(&mut self.records).into_iter().map(of).collect();
        let appended = self.log.append(appends, "", Notes::new());
        appended.map_err(|cause| Failure::new(format!("{cause}; {}", self.going_on())))?;
        self.appended += std::mem::take(&mut self.count);
        (self.bytes, self.line) = (0, line + 1);
        Ok(())
    }

    /// How to go on after an error.
    fn going_on(&self) -> String {
        format!("{} records were appended: mend it and go on with `--from-line {}`", self.appended, self.line)
    }
}
