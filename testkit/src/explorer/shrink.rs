//! Leaves records out of a script that a story does not need.
//!
//! Rule: a record is left out only if the question still fails without it, and is answered as before by the run without
//! surprises and by the one of a test driver: a withdrawal alone is refused in every run, which says nothing about the order of
//! things.

use super::Explorer;
use super::machine::Machine;
use super::property::{Kind, Property};
use super::search::{Search, Way};
use super::story::Story;

/// How many worlds are looked at for each record that may be left out.
const STATES: usize = 50_000;

impl Explorer {
    /// The story of a question that fails, told with as few records as it takes; `None` when it takes all of them.
    pub(super) fn shrunk(&self, property: &Property) -> Option<Story> {
        let can_shrink = matches!(
            property.kind,
            Kind::NoFailure | Kind::NeverOutput { .. } | Kind::Always(_) | Kind::Before { .. } | Kind::AtQuiescence(_)
        );
        let records = self.script.values().map(Vec::len).sum::<usize>();
        if !can_shrink || records < 2 {
            return None;
        }
        let plainly = self.fails_plainly(property);
        let (mut left_out, mut found) = (Vec::new(), None);
        // The last ones first: what follows from a record goes before it does.
        for record in (0..records).rev() {
            let mut fewer = left_out.clone();
            fewer.push(record);
            let smaller = self.without(&fewer);
            if smaller.fails_plainly(property) != plainly {
                continue;
            }
            if let Some(way) = smaller.first_failure(property) {
                (left_out, found) = (fewer, Some(way));
            }
        }
        let way = found?;
        left_out.sort_unstable();
        Some(self.story_without(&left_out, &way))
    }

    /// The same with a shorter script: records by their places in it, partition by partition.
    pub(super) fn without(&self, left_out: &[usize]) -> Explorer {
        let mut smaller = self.clone();
        let mut place = 0;
        for records in smaller.script.values_mut() {
            records.retain(|_| {
                place += 1;
                !left_out.contains(&(place - 1))
            });
        }
        smaller.script.retain(|_, records| !records.is_empty());
        smaller
    }

    /// Whether it fails in the run without surprises, and in that of a test driver.
    fn fails_plainly(&self, property: &Property) -> [bool; 2] {
        let (model, properties) = (self.model(self.budgets), std::slice::from_ref(property));
        [false, true].map(|commits_early| {
            let search = Search::new(Machine::new(&model), properties, self.watch());
            search.one_way(commits_early).answers[0].way.is_some()
        })
    }

    /// The least surprising way to a failure, if there is one not too far away.
    fn first_failure(&self, property: &Property) -> Option<Way> {
        let model = self.model(self.budgets);
        let properties = std::slice::from_ref(property);
        let mut watch = self.watch();
        watch.states_max = watch.states_max.min(STATES);
        let mut found = Search::new(Machine::new(&model), properties, watch).until_first_failure();
        found.answers.swap_remove(0).way.map(|(_, way)| way)
    }
}
