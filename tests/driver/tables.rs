//! Tables below tables: what comes out, what is kept, and what is read where nothing is kept.

use tidemill::Topic;
use tidemill::state::{Store, StoreSpec};
use tidemill::stream::{StreamsBuilder, Table};
use tidemill_testkit::TestDriver;

const L: Topic<String, i64> = Topic::of("l");
const R: Topic<String, i64> = Topic::of("r");
const S: Topic<String, i64> = Topic::of("s");
const OUT: Topic<String, i64> = Topic::of("out");
const TEXTS: Topic<String, String> = Topic::of("texts");
const KEPT: Store<String, i64> = Store::of("kept");
const EVEN: Store<String, i64> = Store::of("even");
const CALLS: Store<String, i64> = Store::of("calls");

fn driver(describe: impl FnOnce(&StreamsBuilder)) -> TestDriver {
    let builder = StreamsBuilder::new();
    describe(&builder);
    TestDriver::new(&builder.build().unwrap())
}

/// The stores of a topology, by name.
fn stores(describe: impl FnOnce(&StreamsBuilder)) -> Vec<String> {
    let builder = StreamsBuilder::new();
    describe(&builder);
    builder.build().unwrap().stores().iter().map(|spec| spec.name().to_string()).collect()
}

#[test]
fn a_kept_filter_above_kept_rows_says_nothing_of_rows_that_never_passed() {
    let outputs = |rows_above_kept: bool| {
        let mut driver = driver(|b| {
            let table = if rows_above_kept { b.table_with(&L, &KEPT) } else { b.table(&L) };
            table.filter_with(&EVEN, |_, value| value % 2 == 0).to_stream().to(&OUT);
        });
        driver.input(&L).send_all([("a", 1), ("a", 2), ("a", 3), ("a", 5)]);
        driver.output(&OUT).optional_values()
    };
    assert_eq!(outputs(true), [Some(2), None]);
    assert_eq!(outputs(false), [None, Some(2), None, None]);
}

#[test]
fn an_outer_join_has_both_tables_kept_and_an_unnamed_option_keeps_nothing() {
    let of_join = stores(|b| {
        b.table(&L).outer_join(&b.table(&R), |l, r| l.or(r).copied()).to_stream().to(&OUT);
    });
    assert_eq!(of_join, ["l-STATE-STORE-0000000000", "r-STATE-STORE-0000000003"]);
    let of_filter = stores(|b| {
        let unnamed = tidemill::stream::Materialized::default();
        b.table(&L).filter_with(unnamed, |_, _| true).to_stream().to(&OUT);
    });
    assert_eq!(of_filter, Vec::<String>::new());
}

/// A table that counts the calls of its own function.
fn counted<'b>(b: &'b StreamsBuilder, kept: bool) -> Table<'b, String, i64> {
    b.add_store(StoreSpec::plain(&CALLS));
    let count = |key: &String, value: Option<&i64>, ctx: &mut tidemill::processor::RowContext<'_>| {
        let changes = ctx.address().is_some();
        let at = ctx.timestamp().unwrap_or_default();
        let mut calls = ctx.store(&CALLS)?;
        let count = calls.get(key)?.unwrap_or(&0) + 1;
        calls.put(key, count, at)?;
        Ok(value.map(|value| if changes { value * 10 + count } else { -count }))
    };
    let table = b.table(&L);
    if kept { table.transform_values_with(&KEPT, count, &[&CALLS]) } else { table.transform_values(count, &[&CALLS]) }
}

#[test]
fn a_function_over_rows_is_called_once_per_change_where_its_rows_are_kept_and_at_every_look_where_they_are_not() {
    let outputs = |kept: bool| {
        let mut driver = driver(|b| {
            let counted = counted(b, kept);
            b.stream(&S).left_join(&counted, |_, row| row.copied().unwrap_or(0)).to(&OUT);
        });
        driver.input(&L).send("a", 5);
        driver.input(&S).send_all([("a", 0), ("a", 0), ("b", 0)]);
        driver.input(&L).send_null("a");
        (driver.output(&OUT).values(), driver.store(&CALLS).all())
    };
    let calls = |a, b: &[i64]| {
        let b = b.iter().map(|count| ("b".to_owned(), *count));
        std::iter::once(("a".to_owned(), a)).chain(b).collect::<Vec<_>>()
    };
    // The second call comes for the deleted row.
    assert_eq!(outputs(true), (vec![51, 51, 0], calls(2, &[])));
    assert_eq!(outputs(false), (vec![-2, -3, 0], calls(4, &[1])));
}

#[test]
fn a_join_without_a_store_is_joined_again_when_it_is_read() {
    let mut driver = driver(|b| {
        let sum = b.table(&L).outer_join(&b.table(&R), |l, r| l.unwrap_or(&0) + r.unwrap_or(&0));
        let passing = sum.filter(|_, sum| *sum < 100).map_values(|_, sum| sum * 2);
        b.stream(&S).left_join(&passing, |_, sum| sum.copied().unwrap_or(-1)).to(&OUT);
    });
    let look = |driver: &mut TestDriver| {
        driver.input(&S).send("a", 0);
        driver.output(&OUT).values()
    };
    assert_eq!(look(&mut driver), [-1]);
    driver.input(&R).send("a", 4);
    assert_eq!(look(&mut driver), [8]);
    driver.input(&L).send("a", 3);
    assert_eq!(look(&mut driver), [14]);
    driver.input(&R).send("a", 97);
    assert_eq!(look(&mut driver), [-1]);
    driver.input(&R).send_null("a");
    assert_eq!(look(&mut driver), [6]);
}

#[test]
fn a_join_below_a_join_has_the_greatest_of_three_times() {
    let mut driver = driver(|b| {
        let lr = b.table(&L).join(&b.table(&R), |l, r| l + r);
        let third = b.table(&S);
        third.join(&lr, |s, lr| s + lr).to_stream().to(&OUT);
    });
    driver.input(&L).at(30).send("a", 1);
    driver.input(&R).at(20).send("a", 10);
    driver.input(&S).at(10).send("a", 100);
    let records = driver.output(&OUT).records();
    assert_eq!((records[0].timestamp.as_millis(), records[0].value), (30, Some(111)));
}

#[test]
fn a_table_can_be_joined_with_what_was_made_of_it() {
    let mut driver = driver(|b| {
        let l = b.table_with(&L, &KEPT);
        let sum = l.join(&b.table(&R), |l, r| l + r);
        sum.join(&l, |sum, l| format!("{sum} of {l}")).to_stream().to(&TEXTS);
    });
    driver.input(&R).send("a", 10);
    driver.input(&L).send_all([("a", 1), ("a", 2)]);
    // A change of the shared row goes both ways, and both see the new row.
    assert_eq!(driver.output(&TEXTS).values(), ["11 of 1", "11 of 1", "12 of 2", "12 of 2"]);
}

#[test]
fn joined_tables_need_equal_numbers_of_partitions() {
    let builder = StreamsBuilder::new();
    builder.table(&L).join(&builder.table(&R), |l, r| l + r).to_stream().to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).partitions("l", 2).partitions("r", 3);
    let error = driver.start().unwrap_err().to_string();
    assert!(error.contains("cannot join `l` (2 partitions) with `r` (3 partitions)"), "{error}");
}

#[test]
fn a_join_over_two_partitions_meets_equal_keys() {
    let builder = StreamsBuilder::new();
    builder.table(&L).join_with(&builder.table(&R), &KEPT, |l, r| l + r).to_stream().to(&OUT);
    let topology = builder.build().unwrap();
    let mut driver = TestDriver::new(&topology).partitions("l", 3).partitions("r", 3).partitions("out", 1);
    let keys: Vec<String> = (0..20).map(|number| format!("key {number}")).collect();
    for (number, key) in (0i64..).zip(&keys) {
        driver.input(&L).send(key.as_str(), number);
        driver.input(&R).send(key.as_str(), 100);
    }
    let mut sums = driver.output(&OUT).values();
    sums.sort_unstable();
    assert_eq!(sums, (100..120).collect::<Vec<_>>());
}
