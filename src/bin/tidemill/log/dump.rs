//! `dump`: the records of a topic, decoded.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tidemill::log::{Log, offset_at};
use tidemill::record::{Offset, StoredRecord, TopicPartition};
use tidemill::{Clock, SystemClock};

use super::visit::visit;
use crate::bytes::Format;
use crate::failure::Failure;
use crate::output::Lines;
use crate::time::When;
use crate::{folder, time};

/// How often a follower looks for more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "\
A line has partition:offset, time, headers if there are any, key and value; `-` stands for none: a record without a key, a \
tombstone. What is not of the format that was asked for is shown as hexadecimal digits (0x..). Partitions come one after \
another.

Formats: auto (text, else hexadecimal), utf8, json, i32, i64, f64, hex; for keys also
  window:FORMAT         a window's key in a topic: key and start
  window-store:FORMAT   a window's key in the changelog of a window store
  session:FORMAT        a session's key, in a topic or a changelog

Examples:
  tidemill log dump ./bank-data movements --value json
  tidemill log dump ./bank-data movements --from -10             the last ten of each partition
  tidemill log dump ./bank-data movements --since 15m --follow   since then, and what comes
  tidemill log dump ./data app-counts-changelog --key window-store:utf8 --value i64
  tidemill log dump ./bank-data movements --json | jq .value")]
pub(crate) struct Dump {
    /// The application's folder
    folder: PathBuf,

    /// The topic
    topic: String,

    /// What keys are
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    key: Format,

    /// What values are
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    value: Format,

    /// One partition
    #[arg(long, value_name = "N")]
    partition: Option<u32>,

    /// The first offset; a negative one is counted from the end
    #[arg(long, value_name = "OFFSET", allow_negative_numbers = true, conflicts_with = "since")]
    from: Option<i64>,

    /// The offset to stop before; a negative one is counted from the end
    #[arg(long, value_name = "OFFSET", allow_negative_numbers = true, conflicts_with = "follow")]
    to: Option<i64>,

    /// Begin with the first record of this time or later: milliseconds since 1970, a date in UTC, or how long ago (15m)
    #[arg(long, value_name = "TIME")]
    since: Option<When>,

    /// Leave out records of this time or later
    #[arg(long, value_name = "TIME")]
    until: Option<When>,

    /// Stop after so many records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// Go on with the records that come, a second after they were committed at the latest
    ///
    /// Each look opens the folder again, which takes a tenth of a second for each 500 MB or so.
    #[arg(long)]
    follow: bool,

    /// Print one JSON object a line; keys and values that are JSON or numbers are so
    #[arg(long)]
    json: bool,
}

impl Dump {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (mut out, mut places) = (Lines::new(), BTreeMap::new());
        let now = SystemClock.now();
        let (until, mut left) = (self.until.map(|when| when.from(now)), self.limit.unwrap_or(u64::MAX));
        loop {
            let log = folder::read(&self.folder)?;
            let spec = folder::topic(&log, &self.topic)?;
            for partition in folder::partitions(&spec, self.partition)? {
                let bounds = log.bounds(&partition)?;
                let of = |offset: i64| match u64::try_from(offset) {
                    Ok(offset) => Offset::new(offset),
                    Err(_) => Offset::new(bounds.end.get().saturating_sub(offset.unsigned_abs())),
                };
                let from = match (places.get(&partition), self.from, self.since) {
                    (Some(next), ..) => *next,
                    (None, Some(from), _) => of(from),
                    (None, None, Some(when)) => offset_at(&log, &partition, when.from(now))?,
                    (None, None, None) => bounds.start,
                };
                let to = self.to.map_or(bounds.end, of).min(bounds.end);
                let next = visit(&log, &partition, from, to, |offset, record| {
                    if left == 0 {
                        return Ok(false);
                    }
                    if until.is_none_or(|until| record.timestamp < until) {
                        out.line(self.line(&partition, offset, record))?;
                        left -= 1;
                    }
                    Ok(left > 0)
                })?;
                places.insert(partition, next.max(from));
            }
            out.flush()?;
            if !self.follow || left == 0 {
                return Ok(());
            }
            let (_sender, nobody) = mpsc::channel::<()>();
            // Nobody sends, so this ends with the time.
            let _ = nobody.recv_timeout(LOOK_EVERY);
        }
    }

    fn line(&self, partition: &TopicPartition, offset: Offset, record: &StoredRecord<'_>) -> String {
        let shown = |format: &Format, bytes: Option<&[u8]>| bytes.map(|bytes| format.show(bytes));
        let (key, value) = (shown(&self.key, record.key), shown(&self.value, record.value));
        let headers = record.headers().unwrap_or_default();
        let header = |(name, value): (&str, Option<&[u8]>)| (name.to_owned(), shown(&Format::Auto, value));
        let headers: Vec<(String, Option<String>)> = headers.iter().map(header).collect();
        if self.json {
            let typed = |format: &Format, text: Option<String>| match (format, text) {
                (_, None) => serde_json::Value::Null,
                (Format::Json | Format::I32 | Format::I64 | Format::F64, Some(text)) => {
                    serde_json::from_str(&text).unwrap_or_else(|_| text.into())
                }
                (_, Some(text)) => text.into(),
            };
            let line = json!({
                "partition": partition.partition, "offset": offset.get(), "timestamp": record.timestamp.as_millis(),
                "headers": headers, "key": typed(&self.key, key), "value": typed(&self.value, value),
            });
            return line.to_string();
        }
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let headers: Vec<String> =
            headers.into_iter().map(|(name, value)| format!("{name}={}", or_none(value))).collect();
        let headers = if headers.is_empty() { String::new() } else { format!("  [{}]", headers.join(", ")) };
        let time = time::show(record.timestamp);
        format!("{}:{offset}  {time}{headers}  {}  {}", partition.partition, or_none(key), or_none(value))
    }
}
