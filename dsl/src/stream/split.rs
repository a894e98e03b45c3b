//! Splits a stream: each record goes to the first branch whose predicate holds.

use std::cell::RefCell;
use std::rc::Rc;

use super::Stream;
use super::names::NameId;
use super::plan::{Effect, StepId};
use crate::operator::{Branch, PassOn};
use crate::processor::{ProcessError, StreamOf};
use crate::serde::Data;

/// A stream being split. A record that no branch takes goes to the default branch, or, without one, nowhere.
pub struct Split<'b, K: 'static, V: 'static> {
    stream: Stream<'b, K, V>,
    step: StepId,
    name: NameId,
    branches: Rc<RefCell<Branch<K, V>>>,
    /// How many branches there are, the default one included: the next one's position among the node's children.
    count: usize,
}

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Splits the stream into branches; each record goes to the first whose predicate holds.
    ///
    /// Order and times are unchanged. Stores nothing; never repartitions.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const SMALL: Topic<String, i64> = Topic::of("small");
    /// # const REST: Topic<String, i64> = Topic::of("rest");
    /// # let builder = StreamsBuilder::new();
    /// let mut split = builder.stream(&IN).split();
    /// split.branch(|_key, value| *value < 10).to(&SMALL);
    /// split.default_branch().to(&REST);
    /// # drop(split);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 3);
    /// driver.input(&IN).send("a", 30);
    /// assert_eq!(driver.output(&SMALL).values(), [3]);
    /// assert_eq!(driver.output(&REST).values(), [30]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split(&self) -> Split<'b, K, V> {
        let branches = Rc::new(RefCell::new(Branch { predicates: Vec::new(), default: None }));
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered("KSTREAM-BRANCH-"));
        let lowered = branches.clone();
        let step = plan.add(name, &[parent], move |plan, builder| {
            // Branches are added after this step was planned, so the predicates are taken when it is lowered.
            let empty = Branch { predicates: Vec::new(), default: None };
            let branch = lowered.replace(empty);
            builder.add_operator::<StreamOf<K, V>, StreamOf<K, V>>(&plan.name(name), &[&plan.node(parent)], branch);
        });
        plan.set_effect(step, Effect::Passes);
        drop(plan);
        Split { stream: self.clone(), step, name, branches, count: 0 }
    }
}

impl<'b, K: Data, V: Data> Split<'b, K, V> {
    /// Names the split; branches are called after it: `named("size-")` and a branch `named("small")` give `size-small`.
    #[must_use = "the name belongs to the split"]
    pub fn named(self, name: &str) -> Self {
        self.stream.builder.plan().names.give(self.name, name);
        self
    }

    /// The records for which `predicate` holds and that no earlier branch took.
    pub fn branch(&mut self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Stream<'b, K, V> {
        self.try_branch(move |key, value| Ok::<_, ProcessError>(predicate(key, value)))
    }

    /// As [`branch`](Self::branch), with a predicate that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const SMALL: Topic<String, String> = Topic::of("small");
    /// # let builder = StreamsBuilder::new();
    /// let mut split = builder.stream(&IN).split();
    /// split.try_branch(|_key, value| value.parse::<i64>().map(|number| number < 10)).to(&SMALL);
    /// # drop(split);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "3");
    /// assert_eq!(driver.output(&SMALL).values(), ["3"]);
    /// assert!(driver.input(&IN).try_send("a", "three").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_branch<E: Into<ProcessError>>(
        &mut self,
        predicate: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, V> {
        let predicate = Box::new(move |key: &K, value: &V| predicate(key, value).map_err(Into::into));
        self.branches.borrow_mut().predicates.push((self.count, predicate));
        let number = self.branches.borrow().predicates.len();
        self.add(&number.to_string())
    }

    /// The records that no branch takes, wherever this is called among them. A second call replaces the first.
    pub fn default_branch(&mut self) -> Stream<'b, K, V> {
        self.branches.borrow_mut().default = Some(self.count);
        self.add("0")
    }

    fn add(&mut self, ending: &str) -> Stream<'b, K, V> {
        self.count += 1;
        let mut plan = self.stream.builder.plan();
        plan.names.burn();
        let (parent, name) = (self.step, plan.names.joined(self.name, ending));
        let step = plan.add(name, &[parent], move |plan, builder| {
            let (name, parent) = (plan.name(name), plan.node(parent));
            builder.add_operator::<StreamOf<K, V>, StreamOf<K, V>>(&name, &[&parent], PassOn);
        });
        plan.set_effect(step, Effect::Passes);
        drop(plan);
        self.stream.continued(step, self.stream.rekeyed, self.stream.serdes.clone())
    }
}
