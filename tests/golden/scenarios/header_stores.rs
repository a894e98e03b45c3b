//! Stores that keep the headers of the record that wrote a row, and the same topology without them.

use tidemill::Topic;
use tidemill::state::{Store, WindowStore};
use tidemill::stream::{Buffer, StoreFormat, StreamsBuilder, Suppressed};
use tidemill::window::{EmitStrategy, Tumbling};

use super::windows::{EMIT_INTERVAL, ms, windowed};
use super::{Scenario, row, texts};

const N: Store<String, i64> = Store::of("n");
const W: WindowStore<String, i64> = WindowStore::of("w");
const T: Store<String, String> = Store::of("t");

pub(super) fn scenarios() -> Vec<Scenario> {
    let with_headers = || StreamsBuilder::new().store_format(StoreFormat::Headers);
    vec![
        Scenario::streams("headers_store_default", all_kinds).set(EMIT_INTERVAL, "0"),
        Scenario::built("headers_store_headers", with_headers, all_kinds)
            .header_store(&N)
            .header_store(&T)
            .set("dsl.store.format", "HEADERS")
            .set(EMIT_INTERVAL, "0"),
    ]
}

fn all_kinds(b: &StreamsBuilder) {
    let s = b.stream(&texts("in"));
    let n = s.group_by_key().count_with(&N);
    n.to_stream().to(&Topic::<String, i64>::of("count"));
    n.suppress(Suppressed::until_time_limit(ms(100), Buffer::unbounded()))
        .to_stream()
        .to(&Topic::<String, i64>::of("suppressed"));
    s.group_by_key()
        .windowed_by(Tumbling::of(ms(100)))
        .emit_strategy(EmitStrategy::OnWindowClose)
        .count_with(&W)
        .to_stream()
        .to(&windowed::<i64>("closed", 100));
    b.table_with(&Topic::<String, String>::of("t"), &T)
        .left_join(&n, |t, n| format!("{t}|{}", row(n)))
        .to_stream()
        .to(&Topic::<String, String>::of("joined"));
}
