//! Processors of one's own.

use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use tidemill::processor::ProcessError;
use tidemill::processor::PunctuationType::{self, StreamTime, WallClock};
use tidemill::processor::{
    Context, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Flow, Processor, SilentContext,
};
use tidemill::record::{Record, Timestamp};
use tidemill::state::{Changelog, Scan, Store, StoreSpec, WindowStore};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Sink, Source, TopologyBuilder};
use tidemill::window::Tumbling;

use super::windows::windowed;
use super::{Scenario, Text, longs, str, texts};

const SUMS: Store<String, i64> = Store::of("sums");
const COUNTS: Store<String, i64> = Store::of("counts");
const KV: Store<String, String> = Store::of("kv");
const TIMED_COUNTS: WindowStore<String, i64> = WindowStore::of("counts");
const LAST: Store<String, String> = Store::of("last");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("process_forward_many", process_forward_many),
        Scenario::streams("process_values_fixed_key", process_values_fixed_key),
        Scenario::streams("headers_manipulation", headers_manipulation),
        Scenario::streams("headers_through_operators", headers_through_operators).store(&SUMS),
        Scenario::streams("punctuate_stream_time", |b| punctuate_sums(b, StreamTime)).plain_store(&SUMS),
        Scenario::streams("punctuate_wall_clock", |b| punctuate_sums(b, WallClock)).plain_store(&SUMS),
        Scenario::streams("punctuate_start_time", punctuate_start_time),
        Scenario::streams("punctuator_cancel", punctuator_cancel),
        Scenario::streams("punctuate_windowed_forward", punctuate_windowed_forward),
        Scenario::nodes("children_named_forward", children_named_forward),
        Scenario::nodes("topology_word_count", topology_word_count).plain_store(&COUNTS),
        Scenario::streams("store_range_reverse", store_range_reverse).plain_store(&KV),
        Scenario::streams("record_with_timestamp", record_with_timestamp).windows(&TIMED_COUNTS),
        Scenario::streams("store_ttl_expiry", store_ttl_expiry).store(&LAST),
    ]
}

fn process_forward_many(b: &StreamsBuilder) {
    b.stream(&longs("in")).process(|| Many, &[]).to(&longs("out"));
}

/// Forwards up to three records.
struct Many;

impl Processor<Text, Option<i64>, Text, Option<i64>> for Many {
    fn process(&mut self, r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        for i in 0..r.value.unwrap_or(0).min(3) {
            ctx.forward(r.with_key(&Some(format!("{}-{i}", str(r.key)))).with_value(&Some(i)))?;
        }
        Ok(())
    }
}

fn process_values_fixed_key(b: &StreamsBuilder) {
    b.stream(&texts("in")).process_values(|| Metadata, &[]).to(&texts("out"));
}

/// Writes what is known about a record into its value.
struct Metadata;

impl FixedKeyProcessor<Text, Text, Text> for Metadata {
    fn process(&mut self, r: FixedKeyRecord<'_, Text, Text>, ctx: &mut FixedKeyContext<'_, Text, Text>) -> Flow {
        let at = ctx.address().ok_or("a record has an address")?;
        let place = format!("{}:{}:{}", at.topic, at.partition, at.offset);
        let text = format!("{}@{}#{}/{place}", str(r.value()), r.timestamp(), r.headers().iter().count());
        ctx.forward(r.with_value(&Some(text)))?;
        if r.value().as_deref() == Some("twice") {
            let later = Timestamp::from_millis(r.timestamp().as_millis() + 1);
            ctx.forward(r.with_value(&Some("again".to_owned())).with_timestamp(later))?;
        }
        Ok(())
    }
}

fn headers_manipulation(b: &StreamsBuilder) {
    b.stream(&texts("in")).process(|| Mark, &[]).map_values(|v| Some(str(v) + "!")).to(&texts("out"));
}

/// Adds, removes and copies headers.
struct Mark;

impl Processor<Text, Text, Text, Text> for Mark {
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Text>) -> Flow {
        let mut h = r.headers.clone();
        h.remove("secret");
        h.add("seen", Some(Bytes::from(str(r.key))));
        ctx.forward(r.with_headers(&h))?;
        let h2 = h.clone().with("copy", "1");
        ctx.forward(r.with_value(&Some("copy".into())).with_headers(&h2))
    }
}

fn headers_through_operators(b: &StreamsBuilder) {
    const N: Store<String, i64> = Store::of("n");
    let s = b.stream(&longs("in"));
    s.group_by_key().reduce_with(&SUMS, |a, b| a + b).to_stream().to(&tidemill::Topic::<String, i64>::of("sums"));
    s.group_by(|_, _| "all".to_owned()).count_with(&N).to_stream().to(&tidemill::Topic::<String, i64>::of("rekeyed"));
}

fn punctuate_sums(b: &StreamsBuilder, kind: PunctuationType) {
    b.stream(&longs("in")).process(move || Sums(kind), &[]).to(&longs("out"));
}

/// Adds up the values of a key; a timer forwards the sums.
struct Sums(PunctuationType);

impl Processor<Text, Option<i64>, Text, Option<i64>> for Sums {
    fn stores(&self) -> Vec<StoreSpec> {
        vec![StoreSpec::plain(&SUMS)]
    }

    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("sums", Duration::from_millis(1000), self.0)
    }

    fn process(&mut self, r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        let (Some(key), Some(value)) = (r.key, r.value) else { return Ok(()) };
        let mut sums = ctx.store(&SUMS)?;
        let sum = sums.get(key)?.unwrap_or(&0) + value;
        sums.put(key, sum, r.timestamp)
    }

    fn punctuate(&mut self, _: &str, time: Timestamp, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        let mut rows = ctx.scan(&SUMS, ..)?;
        while let Some((key, sum)) = rows.next(ctx)? {
            ctx.forward(Record::new(&Some(key), &Some(sum), time))?;
        }
        ctx.forward(Record::new(&Some("tick".into()), &Some(time.as_millis()), time))
    }
}

fn punctuate_start_time(b: &StreamsBuilder) {
    b.stream(&longs("in")).process(|| TwoTimers, &[]).to(&texts("out"));
}

/// Forwards nothing but what its timers say.
struct TwoTimers;

impl Processor<Text, Option<i64>, Text, Text> for TwoTimers {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        let millis = Duration::from_millis;
        ctx.schedule_from("stream", 250.into(), millis(1000), StreamTime)?;
        ctx.schedule_from("wall", 5000.into(), millis(2000), WallClock)
    }

    fn process(&mut self, _: Record<'_, Text, Option<i64>>, _: &mut Context<'_, Text, Text>) -> Flow {
        Ok(())
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, Text, Text>) -> Flow {
        ctx.forward(Record::new(&Some(timer.to_owned()), &Some(time.to_string()), time))
    }
}

fn punctuator_cancel(b: &StreamsBuilder) {
    b.stream(&longs("in")).process(|| ThreeTimes(0), &[]).to(&longs("out"));
}

/// Its timer fires three times after each start.
struct ThreeTimes(i64);

impl Processor<Text, Option<i64>, Text, Option<i64>> for ThreeTimes {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("n", Duration::from_millis(100), StreamTime)
    }

    fn process(&mut self, r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        if *r.value != Some(99) {
            return Ok(());
        }
        self.0 = 0;
        ctx.cancel("n");
        ctx.schedule("n", Duration::from_millis(100), StreamTime)
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        self.0 += 1;
        ctx.forward(Record::new(&Some("n".into()), &Some(self.0), time))?;
        if self.0 == 3 {
            ctx.cancel(timer);
        }
        Ok(())
    }
}

fn punctuate_windowed_forward(b: &StreamsBuilder) {
    b.stream(&longs("in")).process(|| Ticks, &[]).process(Counts::default, &[]).to(&texts("out"));
}

/// Adds records of its own every half second of stream time.
struct Ticks;

impl Processor<Text, Option<i64>, Text, Text> for Ticks {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("tick", Duration::from_millis(500), StreamTime)
    }

    fn process(&mut self, r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Text>) -> Flow {
        ctx.forward(r.with_value(&Some(str(r.value))))
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, Text, Text>) -> Flow {
        ctx.forward(Record::new(&Some("A".into()), &Some(timer.to_owned()), time))
    }
}

/// Counts records, and passes on those of `Ticks`.
#[derive(Default)]
struct Counts(u64);

impl Processor<Text, Text, Text, Text> for Counts {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("count", Duration::from_millis(1000), WallClock)
    }

    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Text>) -> Flow {
        self.0 += 1;
        if r.key.as_deref() == Some("A") {
            ctx.forward(r.with_key(&Some(format!("A-{}", self.0))))?;
        }
        Ok(())
    }

    fn punctuate(&mut self, _: &str, time: Timestamp, ctx: &mut Context<'_, Text, Text>) -> Flow {
        let count = std::mem::take(&mut self.0).to_string();
        ctx.forward(Record::new(&Some("B".into()), &Some(count), time))
    }
}

fn children_named_forward(b: &mut TopologyBuilder) {
    b.add_source("src", Source::topic(&longs("in")));
    b.add_processor("split", &["src"], || BySize);
    b.add_sink("to-small", &["split"], Sink::topic(&longs("small")));
    b.add_sink("to-big", &["split"], Sink::topic(&longs("big")));
}

/// Chooses a child for each record.
struct BySize;

impl Processor<Text, Option<i64>, Text, Option<i64>> for BySize {
    fn process(&mut self, r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        match r.value {
            None => ctx.forward(r),
            Some(value) if *value < 5 => ctx.forward_to("to-small", r),
            Some(value) => {
                ctx.forward_to("to-big", r)?;
                ctx.forward_to("to-small", r.with_value(&Some(-value)))
            }
        }
    }
}

fn topology_word_count(b: &mut TopologyBuilder) {
    b.add_source("lines-src", Source::topic(&texts("lines")));
    b.add_source("reset-src", Source::topic(&texts("reset")));
    b.add_processor("count", &["lines-src", "reset-src"], || Count);
    b.add_state_store(StoreSpec::plain(&COUNTS).in_memory().changelog(Changelog::Off), &["count"]);
    b.add_sink("sink", &["count"], Sink::topic(&longs("counts")));
}

/// Counts words; a key from the topic `reset` begins at none again.
struct Count;

impl Processor<Text, Text, Text, Option<i64>> for Count {
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        if ctx.address().is_some_and(|address| &*address.topic == "reset") {
            let Some(key) = r.key else { return Ok(()) };
            return match ctx.store(&COUNTS)?.delete(key, r.timestamp)? {
                Some(_) => ctx.forward(Record::new(r.key, &None, r.timestamp)),
                None => Ok(()),
            };
        }
        for word in r.value.iter().flat_map(|line| line.split(' ')).filter(|word| !word.is_empty()) {
            let word = word.to_owned();
            let mut counts = ctx.store(&COUNTS)?;
            let n = counts.get(&word)?.copied().unwrap_or(0) + 1;
            counts.put(&word, n, r.timestamp)?;
            ctx.forward(Record::new(&Some(word), &Some(n), r.timestamp))?;
        }
        Ok(())
    }
}

fn store_range_reverse(b: &StreamsBuilder) {
    b.add_store(StoreSpec::plain(&KV));
    b.stream(&texts("cmd")).process(|| Commands, &[&KV]).to(&texts("out"));
}

/// Obeys commands about a store.
struct Commands;

impl Processor<Text, Text, Text, Text> for Commands {
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Text>) -> Flow {
        let Some(key) = r.key else { return Ok(()) };
        let command = r.value.as_deref().map(|command| command.split_once(':').unwrap_or((command, "")));
        let answer = match command {
            None => format!("deleted {}", str(&ctx.store(&KV)?.delete(key, r.timestamp)?)),
            Some(("put", value)) => return ctx.store(&KV)?.put(key, value.to_owned(), r.timestamp),
            Some(("absent", value)) => {
                let old = ctx.store(&KV)?.put_if_absent(key, value.to_owned(), r.timestamp)?.cloned();
                format!("absent {}", str(&old))
            }
            Some(("all", _)) => list(ctx.scan(&KV, ..)?, ctx)?,
            Some(("reverse", _)) => list(ctx.scan(&KV, ..)?.backward(), ctx)?,
            Some(("range", keys)) => list(ctx.scan(&KV, bounds(keys)?)?, ctx)?,
            Some(("rrange", keys)) => list(ctx.scan(&KV, bounds(keys)?)?.backward(), ctx)?,
            Some(("prefix", prefix)) => list(ctx.scan_prefix(&KV, prefix.as_bytes())?, ctx)?,
            Some(("purge", _)) => {
                purge(r.timestamp, ctx)?;
                list(ctx.scan(&KV, ..)?, ctx)?
            }
            Some((other, _)) => return Err(format!("no command: {other}").into()),
        };
        ctx.forward(r.with_value(&Some(answer)))
    }
}

/// The rows that a cursor shows, as text.
fn list(mut rows: Scan<'_, String, String>, ctx: &mut Context<'_, Text, Text>) -> Result<String, ProcessError> {
    let mut list = Vec::new();
    while let Some((key, value)) = rows.next(ctx)? {
        list.push(format!("{key}={value}"));
    }
    Ok(list.join(","))
}

/// Two bounds of a range, both included; an empty one is open.
fn bounds(text: &str) -> Result<(Bound<String>, Bound<String>), ProcessError> {
    let (from, to) = text.split_once("..").ok_or("a range has two bounds")?;
    let bound = |key: &str| if key.is_empty() { Bound::Unbounded } else { Bound::Included(key.to_owned()) };
    Ok((bound(from), bound(to)))
}

/// Deletes the rows whose value is one character.
fn purge(at: Timestamp, ctx: &mut Context<'_, Text, Text>) -> Flow {
    let mut rows = ctx.scan(&KV, ..)?;
    while let Some((key, value)) = rows.next(ctx)? {
        if value.len() == 1 {
            ctx.store(&KV)?.delete(&key, at)?;
        }
    }
    Ok(())
}

fn record_with_timestamp(b: &StreamsBuilder) {
    let forward = |r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Option<i64>>| {
        ctx.forward(r.with_timestamp(Timestamp::from_millis(r.value.unwrap_or_default())))
    };
    let s = b.stream(&longs("in")).filter(|_, v| v.is_some()).process_fn(forward, &[]);
    s.to(&longs("out"));
    s.group_by_key()
        .windowed_by(Tumbling::of(Duration::from_millis(100)))
        .count_with(&TIMED_COUNTS)
        .to_stream()
        .to(&windowed::<i64>("counts", 100));
}

fn store_ttl_expiry(b: &StreamsBuilder) {
    b.stream(&texts("in")).process(|| Expire, &[]).to(&texts("out"));
}

/// Keeps the latest value of a key, and deletes what is older than three seconds.
struct Expire;

impl Processor<Text, Text, Text, Text> for Expire {
    fn stores(&self) -> Vec<StoreSpec> {
        vec![StoreSpec::timestamped(&LAST)]
    }

    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("expire", Duration::from_millis(1000), StreamTime)
    }

    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Text>) -> Flow {
        let Some(key) = r.key else { return Ok(()) };
        let mut last = ctx.store(&LAST)?;
        let old = last.get_with_time(key)?.map(|(value, time)| (value.clone(), time));
        if old.as_ref().is_some_and(|(_, time)| r.timestamp < *time) {
            return Ok(());
        }
        match r.value {
            Some(value) => last.put(key, value.clone(), r.timestamp)?,
            None => drop(last.delete(key, r.timestamp)?),
        }
        let old = old.map(|(value, _)| value);
        ctx.forward(r.with_value(&Some(format!("{}>{}", str(&old), str(r.value)))))
    }

    fn punctuate(&mut self, _: &str, time: Timestamp, ctx: &mut Context<'_, Text, Text>) -> Flow {
        let mut rows = ctx.scan(&LAST, ..)?;
        while let Some((key, _, at)) = rows.next_with_time(ctx)? {
            if at.as_millis() + 3000 <= time.as_millis() {
                ctx.store(&LAST)?.delete(&key, time)?;
                ctx.forward(Record::new(&Some(key), &None, time))?;
            }
        }
        Ok(())
    }
}
