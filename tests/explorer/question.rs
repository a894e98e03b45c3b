//! The question that started it all: is the table always updated before the next operation is read?

use tidemill::topology::Topology;
use tidemill_testkit::explorer::{Backend, Explorer, Guarantee, Kafka, Report, Verdict};

use crate::bank::{self, ACCOUNTS, MOVEMENTS, OPERATIONS};

const CURRENT: &str = "the table is current when an operation is read";
const NEVER_REFUSED: &str = "never movements";

/// Two deposits of 10, then a withdrawal of 20.
fn explorer(topology: &Topology, backend: impl Into<Backend>) -> Explorer {
    Explorer::new(topology)
        .on(backend)
        .input(&OPERATIONS, [("alice", 10), ("alice", 10), ("alice", -20)])
        .never_output(&MOVEMENTS, |_, movement| movement.error.is_some())
}

fn ask(topology: &Topology, backend: impl Into<Backend>) -> Report {
    let is_current = |look: &mut tidemill_testkit::explorer::Look<'_, '_>| {
        let written: i64 = look.written(&MOVEMENTS).iter().map(|(_, movement)| movement.amount).sum();
        look.store(&ACCOUNTS, &"alice".to_owned()).unwrap_or(0) == written
    };
    explorer(topology, backend).before(&OPERATIONS, CURRENT, move |_, look| is_current(look)).explore()
}

const KAFKA: [Kafka; 4] = [
    Kafka::at_least_once().without_idling(),
    Kafka::at_least_once(),
    Kafka::exactly_once().without_idling(),
    Kafka::exactly_once(),
];

#[test]
fn the_join_reads_an_old_table_on_kafka_whatever_is_configured() {
    for kafka in KAFKA {
        let report = ask(&bank::join(), kafka);
        assert!(report.is_complete());
        for question in [CURRENT, NEVER_REFUSED] {
            assert_eq!(report.verdict(question).name(), "Fails", "{question}: {report}");
        }
        assert_eq!(report.ends().len(), 2, "the withdrawal is refused or it is not: {report}");
    }
}

#[test]
fn the_join_never_reads_an_old_table_on_the_embedded_log() {
    let report = ask(&bank::join(), Backend::Embedded);
    report.assert_holds();
    assert_eq!(report.ends().len(), 1);
}

#[test]
fn equal_times_make_the_join_unsafe_on_the_embedded_log_too() {
    let mut explorer = Explorer::new(&bank::join()).on(Backend::Embedded);
    for amount in [10, 10, -20] {
        explorer = explorer.input_at(&OPERATIONS, 1, "alice", amount);
    }
    let report = explorer.never_output(&MOVEMENTS, |_, movement| movement.error.is_some()).explore();
    assert_eq!(report.verdict(NEVER_REFUSED).name(), "Fails", "{report}");
}

#[test]
fn neither_assumption_alone_makes_the_join_safe() {
    for kafka in KAFKA {
        let fails = |kafka| ask(&bank::join(), kafka).verdict(NEVER_REFUSED).name() == "Fails";
        assert!(fails(kafka.assuming_instant_appends()), "{kafka:?}");
        assert!(fails(kafka.assuming_exact_ends()), "{kafka:?}");
    }
    let both = Kafka::at_least_once().assuming_instant_appends().assuming_exact_ends();
    ask(&bank::join(), both).assert_holds();
    // A transaction hides the movement from its own task until the commit.
    let later = Kafka::exactly_once().assuming_instant_appends().assuming_exact_ends();
    assert_eq!(ask(&bank::join(), later).verdict(NEVER_REFUSED).name(), "Fails");
}

#[test]
fn the_single_step_is_safe_everywhere_and_under_faults() {
    for kafka in KAFKA {
        explorer(&bank::single_step(), kafka).explore().assert_holds();
    }
    for backend in [Kafka::exactly_once().into(), Backend::Embedded] {
        explorer(&bank::single_step(), backend).crashes(1).refines_crash_free().explore().assert_holds();
    }
}

#[test]
fn the_story_is_the_one_that_a_person_would_tell() {
    let report = explorer(&bank::join(), Kafka::exactly_once()).explore();
    let Verdict::Fails(story) = report.verdict(NEVER_REFUSED) else { panic!("{report}") };
    let expected = r#"
   1  task 0_0  fetches operations-0@0
   2  task 0_0  processes operations-0@0: alice = 10 (1 ms) -> movements-0: alice = {"amount":10,"error":null} (1 ms)
   3  task 0_0  fetches operations-0@1
   4  task 0_0  processes operations-0@1: alice = 10 (2 ms) -> movements-0: alice = {"amount":10,"error":null} (2 ms)
   5  task 0_0  fetches operations-0@2
   6  task 0_0  processes operations-0@2: alice = -20 (3 ms) -> movements-0: alice = {"amount":-20,"error":"insufficient funds"} (3 ms)
   7  task 0_0  commits -> movements-0@0 can be read; movements-0@1 can be read; movements-0@2 can be read
      replay: xpl1:0000000"#;
    assert_eq!(format!("\n{story}"), expected);
}

#[test]
fn a_report_says_what_it_rests_on_and_is_the_same_every_time() {
    let [one, other] = [(); 2].map(|()| ask(&bank::join(), Kafka::at_least_once()));
    assert_eq!(one.to_string(), other.to_string());
    assert_eq!(one.to_json(), other.to_json());
    let axioms: Vec<&str> = one.axioms().iter().map(|axiom| axiom.id).collect();
    assert_eq!(axioms, ["A1", "A2", "A5", "F1", "F2", "F3", "F4", "F8", "R1", "R2"]);
    let json: serde_json::Value = serde_json::from_str(&one.to_json()).unwrap();
    assert_eq!(json["guarantee"], Guarantee::AtLeastOnce.to_string());
    assert_eq!(json["answers"][1]["verdict"], "Fails");
    assert_eq!(json["answers"][1]["story"]["states"][0]["actor"], "task 0_0");
}
