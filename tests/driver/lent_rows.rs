//! A row is lent to the nodes below while its store is out of reach; a node below that uses the same store finds it all the
//! same, with the new row in it.

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::Record;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill_testkit::TestDriver;

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const SUMS: Store<String, i64> = Store::of("sums");

/// Forwards what the store says of a record's key, after the change that made the record.
struct LookUp;

impl Processor<String, Option<i64>, String, i64> for LookUp {
    fn process(&mut self, record: Record<'_, String, Option<i64>>, ctx: &mut Context<'_, String, i64>) -> Flow {
        let sum = ctx.store(&SUMS)?.get(record.key)?.copied().unwrap_or_default();
        ctx.forward(record.with_value(&sum))
    }
}

#[test]
fn a_processor_below_an_aggregation_reads_its_store() {
    let builder = StreamsBuilder::new();
    let sums = builder.stream(&IN).group_by_key().aggregate(&SUMS, || 0, |sum: i64, _key, value| sum + value);
    sums.to_stream().process(|| LookUp, &[&SUMS]).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).send_all([("a", 1), ("a", 2), ("b", 5)]);
    assert_eq!(driver.output(&OUT).values(), [1, 3, 5]);
}

#[test]
fn a_table_s_own_stream_can_be_joined_with_it() {
    let builder = StreamsBuilder::new();
    let rows = builder.table_with(&IN, &SUMS);
    rows.to_stream().left_join(&rows, |new, row| row.map_or(-1, |row| new * 10 + row)).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).send_all([("a", 1), ("a", 2)]);
    assert_eq!(driver.output(&OUT).values(), [11, 22]);
}
