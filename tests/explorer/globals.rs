//! Global stores: every process reads their topics by itself.

use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill_testkit::explorer::{Backend, Explorer, Kafka};

const PRODUCTS: Topic<String, String> = Topic::of("products");
const ORDERS: Topic<String, String> = Topic::of("orders");
const NAMED: Topic<String, String> = Topic::of("named");
const BY_ID: Store<String, String> = Store::of("by-id");

fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let products = builder.global_table_with(&PRODUCTS, &BY_ID);
    let named = builder.stream(&ORDERS).left_join_global(
        &products,
        |_, product| product.clone(),
        |_, name| name.map_or_else(|| "unknown".into(), String::clone),
    );
    named.to(&NAMED);
    builder.build().unwrap()
}

fn unknown(_: &String, name: &String) -> bool {
    name == "unknown"
}

#[test]
fn rows_that_were_there_before_are_read_before_anything_else_even_after_a_crash() {
    for backend in [Kafka::exactly_once().into(), Kafka::at_least_once().without_idling().into(), Backend::Embedded] {
        let explorer = Explorer::new(&topology()).on(backend).crashes(1);
        let report = explorer
            .given(&PRODUCTS, [("p7", "tide table")])
            .input(&ORDERS, [("o1", "p7"), ("o2", "p7")])
            .never_output(&NAMED, unknown)
            .always("the row is there", |look| look.store(&BY_ID, &"p7".to_owned()).is_some())
            .explore();
        report.assert_holds();
        assert!(report.axioms().iter().any(|axiom| axiom.id == "F9"), "{report}");
    }
}

#[test]
fn a_row_that_comes_later_has_no_order_among_the_records_that_are_joined() {
    for backend in [Kafka::exactly_once().into(), Backend::Embedded] {
        let explorer = Explorer::new(&topology()).on(backend).never_output(&NAMED, unknown);
        let explorer = explorer.input(&PRODUCTS, [("p7", "tide table")]).input(&ORDERS, [("o1", "p7")]);
        let report =
            explorer.sometimes("known", |look| look.output(&NAMED).iter().any(|(_, name)| name != "unknown")).explore();
        assert_eq!(report.verdict("never named").name(), "Fails", "{report}");
        assert_eq!(report.verdict("known").name(), "Holds", "{report}");
        assert_eq!(report.ends().len(), 2, "{report}");
    }
}

/// Two processes, each with all rows: one may know a row before the other.
#[test]
fn processes_read_global_topics_each_at_its_own_pace() {
    // They fall into different partitions.
    let orders = [("o1", "p7"), ("o2", "p7")];
    let ends = |explorer: Explorer| {
        let explorer = explorer.partitions(&ORDERS, 2).input(&PRODUCTS, [("p7", "tide table")]).input(&ORDERS, orders);
        let report = explorer.explore();
        let known = |end: &tidemill_testkit::explorer::End| {
            end.records.values().flatten().filter(|record| record.contains("tide table")).count()
        };
        (report.ends().iter().map(known).collect::<std::collections::BTreeSet<_>>(), report)
    };
    for explorer in [Explorer::new(&topology()), Explorer::new(&topology()).on(Backend::Embedded)] {
        let (known, report) = ends(explorer);
        assert_eq!(known.into_iter().collect::<Vec<_>>(), [0, 1, 2], "{report}");
    }
    let one_thread = ends(Explorer::new(&topology()).one_thread());
    let told = |report: &tidemill_testkit::explorer::Report| -> String {
        report.ends().iter().map(|end| end.story.to_string()).collect()
    };
    assert!(told(&one_thread.1).contains("task global  "), "{}", told(&one_thread.1));
    let own = told(&ends(Explorer::new(&topology())).1);
    assert!(own.contains("task global (beside 1_0)") && own.contains("task global (beside 1_1)"), "{own}");
}

#[test]
fn the_member_that_takes_over_may_know_less_than_the_one_before() {
    let explorer = Explorer::new(&topology()).on(Kafka::exactly_once()).input(&PRODUCTS, [("p7", "tide table")]);
    let explorer = explorer.input(&ORDERS, [("o1", "p7"), ("o2", "p7")]);
    let stays_known = |explorer: Explorer| {
        let report = explorer
            .at_quiescence("what is known stays known", |look| {
                let names: Vec<bool> = look.output(&NAMED).iter().map(|(_, name)| name == "unknown").collect();
                !names.windows(2).any(|pair| !pair[0] && pair[1])
            })
            .explore();
        report.verdict("what is known stays known").name()
    };
    assert_eq!(stays_known(explorer.clone()), "Holds");
    assert_eq!(stays_known(explorer.clone().crashes(1)), "Holds", "a process that begins reads them to the end");
    assert_eq!(stays_known(explorer.rebalances(1)), "Fails");
}
