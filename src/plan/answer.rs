//! What a program answers when `tidemill plan` or `tidemill describe` asks it.
//!
//! Rule: a topology exists in its program alone, so the program is run and asked; it answers with one line and does nothing else.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidemill_dsl::record::TopicName;
use tidemill_dsl::topology::Topology;

use super::{Plan, Planning};

/// The variable with the question: the topics that there are and their numbers of partitions, `orders=6,customers=3`; may be empty.
pub const QUESTION: &str = "TIDEMILL_ASKS";

impl Planning {
    /// The answer to `tidemill plan` and `tidemill describe`, if this program was started by one of them: print it as a line and
    /// end. An application answers by itself where it starts ([`AppBuilder::start`](crate::AppBuilder::start)), so this is for
    /// programs that have much to do before, or have none.
    ///
    /// ```no_run
    /// use tidemill::plan::Planning;
    /// use tidemill::prelude::*;
    ///
    /// # fn topology() -> Result<Topology, TopologyErrors> { StreamsBuilder::new().build() }
    /// fn main() -> Result<(), TopologyErrors> {
    ///     let topology = topology()?;
    ///     if let Some(answer) = Planning::of("bank").answer(&topology) {
    ///         println!("{answer}");
    ///         return Ok(());
    ///     }
    ///     // start the application
    ///     # Ok(())
    /// }
    /// ```
    pub fn answer(&self, topology: &Topology) -> Option<String> {
        let question = std::env::var(QUESTION).ok()?;
        Some(self.answer_to(&question, topology))
    }

    /// The answer to a question, which is what [`QUESTION`] holds: one line of JSON. `plan` in it has an `error` where topics are
    /// missing in the question.
    ///
    /// ```
    /// use tidemill::plan::Planning;
    /// use tidemill::prelude::*;
    ///
    /// const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// let builder = StreamsBuilder::new();
    /// builder.stream(&ORDERS).for_each(|_, _| {});
    /// let answer = Planning::of("shop").answer_to("orders=6", &builder.build()?);
    /// assert!(answer.contains(r#""reads":{"orders":6}"#), "{answer}");
    /// # Ok::<(), TopologyErrors>(())
    /// ```
    pub fn answer_to(&self, question: &str, topology: &Topology) -> String {
        let told = question.split(',').filter_map(|pair| pair.split_once('='));
        let planning = told
            .filter_map(|(topic, count)| Some((topic, count.parse().ok()?)))
            .fold(self.clone(), |planning, (topic, count)| planning.topic(topic, count));
        let plan = match planning.plan(topology) {
            Ok(plan) => in_json(&plan),
            Err(faults) => json!({ "error": faults.to_string() }),
        };
        let answer = json!({
            "tidemill": 1, "application": self.application, "topology": topology.describe(), "dot": topology.to_dot(),
            "mermaid": topology.to_mermaid(), "plan": plan,
        });
        answer.to_string()
    }
}

fn in_json(plan: &Plan) -> Value {
    let creates = plan.internal.iter().map(|need| {
        let configs: Map<String, Value> = need.configs().into_iter().map(|(key, value)| (key, value.into())).collect();
        json!({ "topic": &*need.name, "partitions": need.partitions, "configs": configs })
    });
    let counts = |topics: &BTreeMap<TopicName, u32>| {
        topics.iter().map(|(name, count)| (name.to_string(), (*count).into())).collect::<Map<String, Value>>()
    };
    json!({
        "reads": counts(&plan.reads), "writes": counts(&plan.writes), "writes_others": plan.writes_others,
        "creates": creates.collect::<Vec<_>>(), "tasks": plan.tasks, "text": plan.to_string(),
        "allow": plan.permissions.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
