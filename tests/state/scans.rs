//! A cursor shows the rows as they were when it was opened, whatever is changed while it is read.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tidemill::processor::{Context, Flow, ProcessError, Processor};
use tidemill::record::{Record, Timestamp};
use tidemill::state::{Scan, Store, StoreSpec};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Settings, Topic};
use tidemill_testkit::TestDriver;

const IN: Topic<String, i64> = Topic::of("in");
const ROWS: Store<u16, i64> = Store::of("rows");

/// The key of the record that puts the rows, and of the one that plays the case.
const FILL: &str = "fill";
const PLAY: &str = "play";

type Range = (Bound<u16>, Bound<u16>);

/// Something that is done between two rows of a cursor.
#[derive(Clone, Copy, Debug)]
enum Change {
    Put(u16, i64),
    Delete(u16),
    OpenAnother,
}

/// A case: the rows at first, what is read, and what is done after each row.
#[derive(Clone, Debug)]
struct Case {
    rows: BTreeMap<u16, i64>,
    range: Range,
    backward: bool,
    changes: Vec<Vec<Change>>,
}

type Seen = Vec<(u16, i64)>;

/// Plays a case, and leaves what its cursors showed; the first one last.
struct Play(Case, Shown);

impl Play {
    /// A cursor, and what it is to show.
    fn open<'a>(
        &self,
        ctx: &mut Context<'a, String, i64>,
        model: &BTreeMap<u16, i64>,
    ) -> Result<(Scan<'a, u16, i64>, Seen), ProcessError> {
        let Case { range, backward, .. } = &self.0;
        let scan = ctx.scan(&ROWS, *range)?;
        let inside = |key: &u16| RangeBounds::<u16>::contains(range, key);
        let expected = model.iter().filter(|(key, _)| inside(key)).map(|(key, value)| (*key, *value));
        Ok(match backward {
            false => (scan, expected.collect()),
            true => (scan.backward(), expected.rev().collect()),
        })
    }
}

impl Processor<String, i64, String, i64> for Play {
    fn stores(&self) -> Vec<StoreSpec> {
        // Where there is a disk, most rows are on it only.
        vec![StoreSpec::timestamped(&ROWS).rows_in_memory(5)]
    }

    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        let Case { rows, changes, .. } = &self.0;
        if record.key == FILL {
            let mut store = ctx.store(&ROWS)?;
            return rows.iter().try_for_each(|(key, value)| store.put(key, *value, Timestamp::from_millis(*value)));
        }
        let mut model = rows.clone();
        let mut scans = vec![self.open(ctx, &model)?];
        let (mut first, mut changes) = (Seen::new(), changes.iter().cycle());
        let (mut scan, expected) = scans.remove(0);
        while let Some((key, value, time)) = scan.next_with_time(ctx)? {
            assert_eq!(time.as_millis(), value, "a row comes with the time that it had");
            first.push((key, value));
            for change in changes.next().into_iter().flatten() {
                match change {
                    Change::Put(key, value) => {
                        model.insert(*key, *value);
                        ctx.store(&ROWS)?.put(key, *value, Timestamp::from_millis(*value))?;
                    }
                    Change::Delete(key) => {
                        let removed = ctx.store(&ROWS)?.delete(key, Timestamp::ZERO)?;
                        assert_eq!(removed, model.remove(key));
                    }
                    Change::OpenAnother if scans.len() < 3 => scans.push(self.open(ctx, &model)?),
                    Change::OpenAnother => drop(scans.remove(0)),
                }
            }
        }
        for (mut scan, expected) in scans {
            let mut seen = Seen::new();
            while let Some(row) = scan.next(ctx)? {
                seen.push(row);
            }
            self.1.lock().unwrap().push((seen, expected));
        }
        self.1.lock().unwrap().push((first, expected));
        Ok(())
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let change = || {
        prop_oneof![
            6 => (0_u16..60, 0_i64..1_000).prop_map(|(key, value)| Change::Put(key, value)),
            4 => (0_u16..60).prop_map(Change::Delete),
            1 => Just(Change::OpenAnother),
        ]
    };
    let bound = || {
        prop_oneof![
            2 => Just(Bound::Unbounded),
            1 => (0_u16..60).prop_map(Bound::Included),
            1 => (0_u16..60).prop_map(Bound::Excluded),
        ]
    };
    // More rows than a cursor copies at first, so that it comes back for more.
    let rows = prop::collection::btree_map(0_u16..60, 0_i64..1_000, 0..60);
    let changes = prop::collection::vec(prop::collection::vec(change(), 0..4), 1..20);
    (rows, (bound(), bound()), any::<bool>(), changes).prop_map(|(rows, range, backward, changes)| Case {
        rows,
        range,
        backward,
        changes,
    })
}

/// What the cursors of a case show, and what they are to show.
type Shown = Arc<Mutex<Vec<(Seen, Seen)>>>;

fn playing(case: &Case) -> (Topology, Shown) {
    let (builder, seen) = (StreamsBuilder::new(), Shown::default());
    let (played, shown) = (case.clone(), seen.clone());
    builder.stream(&IN).process::<String, i64, _>(move || Play(played.clone(), shown.clone()), &[]);
    (builder.build().unwrap(), seen)
}

fn check(seen: &Shown) -> Result<(), TestCaseError> {
    let seen = seen.lock().unwrap();
    prop_assert!(!seen.is_empty());
    seen.iter().try_for_each(|(seen, expected)| {
        prop_assert_eq!(seen, expected);
        Ok(())
    })
}

/// Plays a case on rows that lie on disk.
async fn play_on_disk(topology: Topology) -> Result<(), tidemill::Error> {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { flush_rows: 1, ..Settings::default() };
    let app = App::builder("cursors", topology).embedded(folder.path()).settings(settings).start().await?;
    for key in [FILL, PLAY] {
        app.send(&IN, key, 1).await?;
        app.settled().await?;
    }
    app.close().await
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_cursor_shows_the_rows_of_the_moment_when_it_was_opened(case in any_case()) {
        let (topology, seen) = playing(&case);
        TestDriver::new(&topology).input(&IN).send(FILL, 1).send(PLAY, 1);
        check(&seen)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25))]

    #[test]
    fn a_cursor_over_rows_on_disk_shows_the_same(case in any_case()) {
        let (topology, seen) = playing(&case);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play_on_disk(topology)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        check(&seen)?;
    }
}
