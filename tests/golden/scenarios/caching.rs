//! What comes out without a record cache, for topologies that are recorded with one too.

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::{Record, Timestamp};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;

use super::{Scenario, Text, texts};

const N: Store<String, i64> = Store::of("n");
const M: Store<String, i64> = Store::of("m");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![Scenario::streams("cache_fanout_off", cache_fanout_off).store(&N)]
}

fn cache_fanout_off(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .process(|| Characters, &[])
        .repartition()
        .named("rp")
        .flat_map_values(|v| [v.clone(), v.clone()])
        .group_by_key()
        .count_with(&N)
        .to_stream()
        .to(&Topic::<String, i64>::of("out"));
    b.stream(&texts("many"))
        .flat_map_values(|v| characters(v).map(Some).collect::<Vec<_>>())
        .group_by_key()
        .count_with(&M)
        .to_stream()
        .to(&Topic::<String, i64>::of("out2"));
}

fn characters(value: &Text) -> impl Iterator<Item = String> {
    value.iter().flat_map(|text| text.chars()).map(String::from)
}

/// Makes a record of each character, one millisecond apart.
struct Characters;

impl Processor<Text, Text, Text, Text> for Characters {
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Text>) -> Flow {
        let times = (r.timestamp.as_millis()..).map(Timestamp::from_millis);
        for (character, time) in characters(r.value).zip(times) {
            ctx.forward(r.with_key(&Some(character)).with_value(&Some("x".into())).with_timestamp(time))?;
        }
        Ok(())
    }
}
