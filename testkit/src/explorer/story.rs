//! One way through the worlds, as a person reads it.

use std::fmt;

use serde_json::{Value, json};

use super::event::Event;
use super::machine::{Machine, text_of};
use super::model::Model;
use super::picture::{Arrow, Sequence};
use super::token::Token;
use super::world::World;

/// A run, step by step: how a property fails, or how it comes that something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    steps: Vec<StoryStep>,
    token: Token,
}

/// A step of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryStep {
    /// Who does it: a task, or the outside world.
    pub actor: String,
    /// What is done.
    pub action: String,
    /// What it is done to: a partition with an offset, where there is one.
    pub object: Option<String>,
    /// What follows from it at once.
    pub effects: Vec<String>,
    arrows: Vec<Arrow>,
}

impl Story {
    /// Takes the steps of a way.
    ///
    /// # Panics
    ///
    /// When the way does not belong to this model.
    pub(super) fn of(model: &Model, first: impl FnOnce(&mut Machine<'_>) -> World, token: Token) -> Story {
        let mut machine = Machine::new(model);
        let mut world = first(&mut machine);
        let mut steps = Vec::new();
        for choice in token.way() {
            let possible = machine.steps(&world);
            let step = possible.get(usize::from(*choice)).unwrap_or_else(|| {
                panic!(
                    "the story has a step that is not possible here: its token belongs to another topology or script"
                )
            });
            let next = machine.take(&world, *step);
            world = next.world;
            steps.push(Teller { model, world: &world }.step(&next.events));
        }
        Story { steps, token }
    }

    /// The steps.
    pub fn steps(&self) -> &[StoryStep] {
        &self.steps
    }

    /// How many records of the script it does without.
    pub fn left_out(&self) -> usize {
        self.token.left_out().len()
    }

    /// What [`Explorer::replay`](super::Explorer::replay) takes to tell the story again.
    pub fn token(&self) -> String {
        self.token.to_string()
    }

    /// The story as a Mermaid sequence diagram: topics and tasks as participants.
    pub fn mermaid(&self) -> String {
        self.sequence().mermaid()
    }

    /// The same as a picture, in SVG: for a page or a report that shows no Mermaid.
    ///
    /// ```
    /// use tidemill::prelude::*;
    /// use tidemill_testkit::explorer::Explorer;
    ///
    /// let (from, to): (Topic<String, i64>, Topic<String, i64>) = (Topic::of("in"), Topic::of("out"));
    /// let builder = StreamsBuilder::new();
    /// builder.stream(&from).to(&to);
    /// let report = Explorer::new(&builder.build()?).input(&from, [("a", 1)]).never_output(&to, |_, n| *n == 1).explore();
    /// let story = report.verdict("never out").story().expect("it fails");
    /// assert!(story.svg().starts_with("<svg "));
    /// # Ok::<(), TopologyErrors>(())
    /// ```
    pub fn svg(&self) -> String {
        self.sequence().svg()
    }

    fn sequence(&self) -> Sequence<'_> {
        Sequence::of(self.steps.iter().flat_map(|step| &step.arrows))
    }

    /// The story as JSON, its states in the shape of the Informal Trace Format.
    pub(super) fn json(&self) -> Value {
        let states: Vec<Value> = self
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| {
                json!({
                    "#meta": { "index": index },
                    "actor": step.actor,
                    "action": step.action,
                    "object": step.object,
                    "effects": step.effects,
                })
            })
            .collect();
        json!({ "vars": ["actor", "action", "object", "effects"], "states": states, "leftOut": self.left_out(), "token": self.token() })
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.steps.iter().map(|step| step.actor.chars().count()).max().unwrap_or(0);
        for (number, step) in self.steps.iter().enumerate() {
            let object = step.object.as_ref().map(|object| format!(" {object}")).unwrap_or_default();
            write!(f, "{:>4}  {:width$}  {}{object}", number + 1, step.actor, step.action)?;
            if !step.effects.is_empty() {
                write!(f, " -> {}", step.effects.join("; "))?;
            }
            writeln!(f)?;
        }
        match self.left_out() {
            0 => {}
            1 => writeln!(f, "      a record of the script is not needed for it, and left out")?,
            more => writeln!(f, "      {more} records of the script are not needed for it, and left out")?,
        }
        write!(f, "      replay: {}", self.token)
    }
}

/// Finds the words for what happened.
struct Teller<'t> {
    model: &'t Model,
    /// The world after the step.
    world: &'t World,
}

impl Teller<'_> {
    fn step(&self, events: &[Event]) -> StoryStep {
        let Some((main, rest)) = events.split_first() else {
            return StoryStep {
                actor: "nobody".into(),
                action: "does nothing".into(),
                object: None,
                effects: Vec::new(),
                arrows: Vec::new(),
            };
        };
        let (actor, action, object) = self.main(main);
        let mut arrows: Vec<Arrow> = self.main_arrow(main, &actor, &action).into_iter().collect();
        arrows.extend(rest.iter().filter_map(|event| self.effect_arrow(event)));
        let effects = rest.iter().filter_map(|event| self.effect(main, event)).collect();
        StoryStep { actor, action, object, effects, arrows }
    }

    fn main(&self, event: &Event) -> (String, String, Option<String>) {
        let plain = |actor: String, action: &str| (actor, action.to_owned(), None);
        match event {
            Event::Sent { log, offset } => (
                "outside".into(),
                "sends".into(),
                Some(format!("{}: {}", self.place(*log, offset.get()), self.record(*log, offset.get()))),
            ),
            Event::Fetched { task, log, offset } => {
                (self.task(*task), "fetches".into(), Some(self.place(*log, offset.get())))
            }
            Event::Processed { task, log, offset } => {
                let record = format!("{}: {}", self.place(*log, offset.get()), self.record(*log, offset.get()));
                (self.task(*task), "processes".into(), Some(record))
            }
            Event::Wrote { task, log, record } => {
                (self.task(*task), "writes".into(), Some(format!("{}: {record}", self.partition(*log))))
            }
            Event::Arrived { tasks, log, offset } => {
                let record = format!("{}: {}", self.place(*log, offset.get()), self.record(*log, offset.get()));
                (self.tasks(tasks), "has sent, and there is".into(), Some(record))
            }
            Event::Visible { log, offset } => {
                ("everybody".into(), "can read".into(), Some(self.place(*log, offset.get())))
            }
            Event::Flushed { tasks } => plain(self.tasks(tasks), "begins to commit"),
            Event::Committed { tasks } => plain(self.tasks(tasks), "commits"),
            Event::Fenced { tasks } => plain(self.tasks(tasks), "is refused its commit"),
            Event::Ticked { task } => plain(self.task(*task), "is called by a timer of the wall clock"),
            Event::Crashed { tasks } => plain(self.tasks(tasks), "crashes, and begins again from what is committed"),
            Event::Moved { tasks } => {
                plain(self.tasks(tasks), "moves to another member; the former one does not notice")
            }
            Event::Left { tasks } => plain(self.tasks(tasks), "is given up by its former member"),
            Event::Failed { task, error } => (self.task(*task), "fails:".into(), Some(error.clone())),
        }
    }

    fn effect(&self, main: &Event, event: &Event) -> Option<String> {
        match event {
            Event::Wrote { log, record, .. } => Some(format!("{}: {record}", self.partition(*log))),
            // A record that is sent by itself or arrives is visible by that.
            Event::Visible { .. } if matches!(main, Event::Sent { .. } | Event::Arrived { .. }) => None,
            Event::Visible { log, offset } => Some(format!("{} can be read", self.place(*log, offset.get()))),
            Event::Arrived { .. } => None,
            Event::Processed { log, offset, .. } => Some(format!("processed {}", self.place(*log, offset.get()))),
            other => {
                let (actor, action, object) = self.main(other);
                Some(format!("{actor} {action}{}", object.map(|object| format!(" {object}")).unwrap_or_default()))
            }
        }
    }

    fn main_arrow(&self, event: &Event, actor: &str, action: &str) -> Option<Arrow> {
        let arrow = |from: String, to: String, text: String| Some(Arrow { from, to, text });
        match event {
            Event::Sent { log, offset } => {
                arrow("outside".into(), self.partition(*log), self.record(*log, offset.get()))
            }
            // What is fetched shows when it is processed.
            Event::Fetched { .. } => None,
            Event::Processed { log, offset, .. } => {
                arrow(self.partition(*log), actor.to_owned(), format!("process {}", self.record(*log, offset.get())))
            }
            Event::Arrived { log, offset, .. } => {
                arrow(actor.to_owned(), self.partition(*log), format!("arrives: {}", self.record(*log, offset.get())))
            }
            _ => arrow(actor.to_owned(), actor.to_owned(), action.to_owned()),
        }
    }

    fn effect_arrow(&self, event: &Event) -> Option<Arrow> {
        match event {
            Event::Wrote { task, log, record } => {
                let text = format!("sends {record}");
                Some(Arrow { from: self.task(*task), to: self.partition(*log), text })
            }
            Event::Failed { task, error } => {
                Some(Arrow { from: self.task(*task), to: self.task(*task), text: format!("fails: {error}") })
            }
            _ => None,
        }
    }

    fn task(&self, task: usize) -> String {
        format!("task {}", self.model.task_name(task))
    }

    fn tasks(&self, tasks: &[usize]) -> String {
        let names: Vec<String> = tasks.iter().map(|task| self.model.task_name(*task)).collect();
        format!("{} {}", if names.len() == 1 { "task" } else { "tasks" }, names.join(", "))
    }

    fn partition(&self, log: usize) -> String {
        self.model.partitions[log].to_string()
    }

    fn place(&self, log: usize, offset: u64) -> String {
        format!("{}@{offset}", self.model.partitions[log])
    }

    fn record(&self, log: usize, offset: u64) -> String {
        let records = self.world.logs[log].records();
        let record = usize::try_from(offset).ok().and_then(|place| records.get(place));
        record.map_or_else(|| "taken back".to_owned(), |record| text_of(&record.batch).to_string())
    }
}
