//! What an exploration answers.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::backend::{Axiom, Backend};
use super::story::Story;

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// In every run that the backend permits: all of them were looked at.
    Holds,
    /// Not in this run, which has the fewest surprises.
    Fails(Story),
    /// Not refuted, but not all runs were looked at.
    Bounded,
    /// There was nothing to look at: no run gets to what was asked for.
    Vacuous,
    /// A question which of two moments comes first.
    Order(Order),
}

/// Which of two moments comes first: over all runs, with a story for each answer that needs one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Always the first one.
    Before,
    /// Always the second one.
    After,
    /// Sometimes the first one, sometimes the second.
    Either {
        /// A run in which the first one comes first.
        before: Story,
        /// A run in which the second one does.
        after: Story,
    },
    /// No run has both.
    NeverBoth,
}

impl Verdict {
    /// In a word.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Holds => "Holds",
            Verdict::Fails(_) => "Fails",
            Verdict::Bounded => "Bounded",
            Verdict::Vacuous => "Vacuous",
            Verdict::Order(Order::Before) => "Before",
            Verdict::Order(Order::After) => "After",
            Verdict::Order(Order::Either { .. }) => "Either",
            Verdict::Order(Order::NeverBoth) => "NeverBoth",
        }
    }

    /// The story, if there is one.
    pub fn story(&self) -> Option<&Story> {
        match self {
            Verdict::Fails(story) | Verdict::Order(Order::Either { after: story, .. }) => Some(story),
            _ => None,
        }
    }

    /// Whether it is an answer that a test can go on with: it holds, or it was a question for an order.
    fn is_good(&self) -> bool {
        matches!(self, Verdict::Holds | Verdict::Order(_))
    }
}

/// One of the ways in which runs end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The records that can be read then, by partition, in words. What the script sent is left out.
    pub records: BTreeMap<String, Vec<String>>,
    /// A run that ends so.
    pub story: Story,
}

/// What an exploration found.
#[derive(Clone, Debug)]
#[must_use = "a report that nobody reads proves nothing: `assert_holds()`, or print it"]
pub struct Report {
    pub(super) backend: Backend,
    pub(super) axioms: Vec<Axiom>,
    pub(super) states: usize,
    pub(super) transitions: u64,
    pub(super) complete: bool,
    pub(super) surprises: u32,
    pub(super) sampled: usize,
    pub(super) answers: Vec<(String, Verdict)>,
    pub(super) ends: Vec<End>,
}

impl Report {
    /// Where the topology was imagined to run.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// How many different worlds were looked at.
    pub fn states(&self) -> usize {
        self.states
    }

    /// How many steps were taken from one world to another.
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    /// Whether every run that the backend permits was looked at.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many surprises a run has to have to be among those that were not looked at, if the search was cut off: it looks at
    /// runs with few surprises first.
    pub fn surprises(&self) -> Option<u32> {
        (!self.complete).then_some(self.surprises)
    }

    /// How many runs were gone at random: none where all were looked at.
    pub fn sampled(&self) -> usize {
        self.sampled
    }

    /// The different ways in which runs end, each with a run.
    pub fn ends(&self) -> &[End] {
        &self.ends
    }

    /// The questions with their answers. The first one is whether any task fails.
    pub fn answers(&self) -> impl Iterator<Item = (&str, &Verdict)> {
        self.answers.iter().map(|(name, verdict)| (name.as_str(), verdict))
    }

    /// The answer to a question.
    ///
    /// # Panics
    ///
    /// When no question has this name.
    pub fn verdict(&self, question: &str) -> &Verdict {
        let found = self.answers.iter().find(|(name, _)| name == question);
        found.map(|(_, verdict)| verdict).unwrap_or_else(|| {
            let known: Vec<&str> = self.answers.iter().map(|(name, _)| name.as_str()).collect();
            panic!("nobody asked `{question}`; the questions are {known:?}")
        })
    }

    /// What the answers rest on: promises of the backend, and freedoms that the search used.
    pub fn axioms(&self) -> &[Axiom] {
        &self.axioms
    }

    /// For a test: everything that was asked holds.
    ///
    /// # Panics
    ///
    /// When something fails, was cut off or had nothing to look at, with the report.
    #[track_caller]
    pub fn assert_holds(&self) {
        assert!(self.answers.iter().all(|(_, verdict)| verdict.is_good()), "{self}");
    }

    /// The report as JSON.
    pub fn to_json(&self) -> String {
        let answer = |(name, verdict): &(String, Verdict)| json!({ "question": name, "verdict": verdict.name(), "story": verdict.story().map(Story::json) });
        let axioms: Vec<&str> = self.axioms.iter().map(|axiom| axiom.id).collect();
        let report: Value = json!({
            "backend": self.backend.name(),
            "guarantee": self.backend.guarantee().to_string(),
            "idling": self.backend.idling(),
            "states": self.states,
            "transitions": self.transitions,
            "outcomes": self.ends.len(),
            "complete": self.complete,
            "sampled": self.sampled,
            "axioms": axioms,
            "answers": self.answers.iter().map(answer).collect::<Vec<_>>(),
        });
        report.to_string()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.complete {
            "exhaustive".to_owned()
        } else {
            format!("cut off (runs with fewer than {} surprises, and {} at random)", self.surprises, self.sampled)
        };
        writeln!(
            f,
            "{}: {how}, {} states, {} transitions, {} outcomes; rests on {}",
            self.backend,
            self.states,
            self.transitions,
            self.ends.len(),
            self.axioms.iter().map(|axiom| axiom.id).collect::<Vec<_>>().join(" ")
        )?;
        for (name, verdict) in &self.answers {
            writeln!(f, "{:9} {name}", verdict.name())?;
            match verdict {
                Verdict::Fails(story) => writeln!(f, "{story}")?,
                Verdict::Order(Order::Either { before, after }) => {
                    writeln!(f, "  the first one first:\n{before}\n  the second one first:\n{after}")?;
                }
                Verdict::Bounded => {
                    writeln!(f, "          not refuted so far: allow more states, or make the script shorter")?
                }
                Verdict::Vacuous => writeln!(f, "          no run gets to what was asked for: look at the script")?,
                _ => {}
            }
        }
        Ok(())
    }
}
