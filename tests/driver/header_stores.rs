//! Which headers the rows of tables keep, and what their changelogs have.

use tidemill::Topic;
use tidemill::record::Headers;
use tidemill::state::Store;
use tidemill::stream::{StoreFormat, StreamsBuilder};
use tidemill_testkit::TestDriver;

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, Option<i64>> = Topic::of("out");
const SUMS: Store<String, i64> = Store::of("sums");
const CHANGES: Topic<String, i64> = Topic::of("test-sums-changelog");

/// Sums by key; one that becomes 0 goes.
fn sums(format: StoreFormat) -> TestDriver {
    let builder = StreamsBuilder::new().store_format(format);
    let sums = builder.stream(&IN).group_by_key();
    let sums = sums.reduce_with(&SUMS, |sum, v| Some(sum + v).filter(|sum| *sum != 0));
    sums.to_stream().to(&OUT);
    TestDriver::new(&builder.build().unwrap())
}

fn from(name: &str) -> Headers {
    Headers::default().with("from", name.to_owned())
}

#[test]
fn rows_keep_the_headers_of_the_record_that_wrote_them_or_none() {
    for (format, kept) in [(StoreFormat::Headers, Headers::NONE), (StoreFormat::RecordHeaders, from("second"))] {
        let mut driver = sums(format);
        driver.input(&IN).headers(from("first")).send("a", 1);
        driver.input(&IN).headers(from("second")).send("a", 2);
        assert_eq!(driver.store(&SUMS).get_with_headers("a"), Some((3, kept.clone())), "{format:?}");
        assert_eq!(driver.output(&CHANGES).records()[1].headers, kept, "{format:?}");
        let came_out: Vec<Headers> = driver.output(&OUT).records().into_iter().map(|r| r.headers).collect();
        assert_eq!(came_out, [from("first"), from("second")], "{format:?}: what comes out is the same");
    }
}

#[test]
fn the_changelog_has_a_deletion_as_of_the_record_that_deletes() {
    for (format, kept) in [(StoreFormat::Plain, Headers::NONE), (StoreFormat::Headers, from("last"))] {
        let mut driver = sums(format);
        driver.input(&IN).at(7).send("a", 1);
        driver.input(&IN).at(5).headers(from("last")).send("a", -1);
        let deletion = driver.output(&CHANGES).records().remove(1);
        assert_eq!((deletion.value, deletion.timestamp.as_millis()), (None, 5), "{format:?}");
        assert_eq!(deletion.headers, kept, "{format:?}");
        // What comes out has the row's time, the greatest of its records.
        assert_eq!(driver.output(&OUT).records()[1].timestamp.as_millis(), 7);
    }
}

#[test]
#[should_panic(
    expected = "store `sums` keeps no headers: add it with `StoreSpec::with_headers`, or read the value alone"
)]
fn headers_that_are_not_kept_are_refused() {
    sums(StoreFormat::Plain).store(&SUMS).get_with_headers("a");
}
