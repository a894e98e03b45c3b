//! Goes through all worlds that can be reached, the least surprising first.
//!
//! Rule: a world is looked at once, however many ways lead to it. Ways are ordered by how often they leave the run that a
//! developer imagines, then by their length; so the first way that is found to a world has the fewest surprises. What was cut
//! off is said.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tidemill::task::Fingerprint;

use super::backend::Guarantee;
use super::cancel::Cancel;
use super::chance::Chance;
use super::event::Event;
use super::look::Look;
use super::machine::{Machine, Next};
use super::outcome::Outcome;
use super::part::{ByFingerprint, key};
use super::property::{Kind, Property, first_of, remember};
use super::step::Step;
use super::world::{Pools, World};

/// A way through the worlds: at each of them the place of a step among those that were possible.
pub(super) type Way = Vec<u16>;

/// Surprises, then steps.
type Cost = (u32, u32);

/// What a search found.
pub(super) struct Found {
    pub(super) states: usize,
    pub(super) transitions: u64,
    /// Whether every reachable world was looked at.
    pub(super) complete: bool,
    /// Of a search that was cut off: all ways with fewer surprises were looked at.
    pub(super) surprises: u32,
    /// Ways that were gone at random.
    pub(super) sampled: usize,
    /// By property.
    pub(super) answers: Vec<Seen>,
    /// The different ends, in the order in which they were found.
    pub(super) outcomes: Vec<(Outcome, Way)>,
}

/// What was seen of a property.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Whether there was anything to look at.
    pub(super) asked: bool,
    /// The least surprising way on which it fails, or, for what has to happen sometimes, on which it happens.
    pub(super) way: Option<(Cost, Way)>,
    /// For an order: a way to each end that it can have: neither, one of the two, both with either first.
    pub(super) orders: BTreeMap<u8, Way>,
}

struct Node {
    parent: u32,
    choice: u16,
    cost: Cost,
    closed: bool,
}

const ROOT: u32 = 0;

/// How many ways are gone at random where the worlds are too many.
const BEYOND: usize = 200;

/// What ends a search before its end, and who is told how far it is.
#[derive(Clone, Copy)]
pub(super) struct Watch<'s> {
    pub(super) states_max: usize,
    pub(super) progress: &'s dyn Fn(usize, usize),
    pub(super) cancel: &'s Cancel,
}

/// A place on a way: its cost, and how to find the way.
type Here<'w> = (Cost, &'w dyn Fn(&[Node]) -> Way);

/// The way to a world, and one more step if there is one.
fn way_to(nodes: &[Node], mut node: u32, last: Option<u16>) -> Way {
    let mut way: Way = last.into_iter().collect();
    while node != ROOT {
        let Node { parent, choice, .. } = &nodes[node as usize];
        way.push(*choice);
        node = *parent;
    }
    way.reverse();
    way
}

pub(super) struct Search<'s, 'm> {
    machine: Machine<'m>,
    properties: &'s [Property],
    watch: Watch<'s>,
    nodes: Vec<Node>,
    known: ByFingerprint<u32>,
    open: BTreeMap<Cost, VecDeque<(u32, World)>>,
    ends: HashMap<u128, usize>,
    /// By property and part of an outcome: the first end that has it.
    parts: Vec<Option<Fingerprint>>,
    found: Found,
    pools: Pools,
}

impl<'s, 'm> Search<'s, 'm> {
    pub(super) fn new(machine: Machine<'m>, properties: &'s [Property], watch: Watch<'s>) -> Self {
        let found = Found {
            states: 0,
            transitions: 0,
            complete: true,
            surprises: 0,
            sampled: 0,
            answers: vec![Seen::default(); properties.len()],
            outcomes: Vec::new(),
        };
        Search {
            machine,
            properties,
            watch,
            nodes: Vec::new(),
            known: ByFingerprint::default(),
            open: BTreeMap::new(),
            ends: HashMap::new(),
            parts: vec![None; properties.len()],
            found,
            pools: Pools::default(),
        }
    }

    /// Goes on until every world was looked at, or there are too many; then some ways at random, each to its end, to see
    /// something of what lies beyond.
    pub(super) fn run(mut self) -> Found {
        self.look_around(|_, _| false);
        if self.found.complete { self.found } else { self.beyond() }
    }

    /// Goes on until there can be no less surprising way on which the first property fails.
    pub(super) fn until_first_failure(mut self) -> Found {
        self.look_around(|found, cost| found.answers[0].way.as_ref().is_some_and(|(known, _)| *known <= cost));
        self.found
    }

    /// Goes one way to its end: the one that has no surprises, or, if it commits early, the one that a test driver goes, which
    /// commits after every record.
    pub(super) fn one_way(mut self, commits_early: bool) -> Found {
        let mut world = self.machine.first(super::property::no_memory(self.properties));
        let mut way = Way::new();
        loop {
            let cost = (0, u32::try_from(way.len()).unwrap_or(u32::MAX));
            self.look((cost, &|_| way.clone()), &world);
            let steps = self.machine.steps(&world);
            let ends = |step: &Step| matches!(step, Step::Flush { .. } | Step::Commit { .. });
            let early = steps.iter().position(ends).filter(|_| commits_early).unwrap_or(0);
            let Some(step) = steps.get(early).filter(|step| !step.is_fault()) else {
                self.end((cost, &|_| way.clone()), &world);
                return self.found;
            };
            way.push(u16::try_from(early).expect("fewer steps than 2^16"));
            let Next { world: mut next, events } = self.machine.take(&world, *step);
            remember(self.properties, self.machine.model, &events, &mut next.memory);
            self.look_at_events(&events, (&world, &next), (cost, &|_| way.clone()));
            if events.iter().any(|event| matches!(event, Event::Failed { .. })) {
                return self.found;
            }
            world = next;
        }
    }

    fn look_around(&mut self, is_enough: impl Fn(&Found, Cost) -> bool) {
        let first = self.machine.first(super::property::no_memory(self.properties));
        self.enter(first, ROOT, 0, (0, 0));
        while let Some((cost, node, world)) = self.next_open() {
            if is_enough(&self.found, cost) {
                break;
            }
            if self.found.states >= self.watch.states_max || self.watch.cancel.is_cancelled() {
                (self.found.complete, self.found.surprises) = (false, cost.0);
                break;
            }
            self.found.states += 1;
            if self.found.states.is_multiple_of(10_000) {
                (self.watch.progress)(self.found.states, self.open.values().map(VecDeque::len).sum());
            }
            self.expand(cost, node, &world);
        }
    }

    fn beyond(mut self) -> Found {
        self.open.clear();
        let (states, transitions) = (self.found.states, self.found.transitions);
        let found = self.walk(0, BEYOND);
        Found { states, transitions, ..found }
    }

    /// The least surprising world that was not looked at.
    fn next_open(&mut self) -> Option<(Cost, u32, World)> {
        loop {
            let mut entry = self.open.first_entry()?;
            let cost = *entry.key();
            let Some((node, world)) = entry.get_mut().pop_front() else {
                entry.remove();
                continue;
            };
            let known = &mut self.nodes[node as usize];
            if !known.closed && known.cost == cost {
                known.closed = true;
                return Some((cost, node, world));
            }
        }
    }

    /// Notes a world, unless a way that is as good leads to it already.
    fn enter(&mut self, mut world: World, parent: u32, choice: u16, cost: Cost) {
        let fingerprint = key(world.fingerprint(&mut self.pools));
        let number = u32::try_from(self.nodes.len()).expect("fewer worlds than 2^32");
        let node = Node { parent, choice, cost, closed: false };
        let number = match self.known.get(&fingerprint) {
            None => {
                self.known.insert(fingerprint, number);
                self.nodes.push(node);
                number
            }
            Some(known) if cost < self.nodes[*known as usize].cost => {
                self.nodes[*known as usize] = node;
                *known
            }
            Some(_) => return,
        };
        self.open.entry(cost).or_default().push_back((number, world));
    }

    fn expand(&mut self, cost: Cost, node: u32, world: &World) {
        let here: Here<'_> = (cost, &|nodes| way_to(nodes, node, None));
        self.look(here, world);
        let steps = self.machine.steps(world);
        if steps.iter().all(|step| step.is_fault()) {
            self.end(here, world);
        }
        for (choice, step) in steps.into_iter().enumerate() {
            let choice = u16::try_from(choice).expect("fewer steps than 2^16");
            let Next { world: mut next, events } = self.machine.take(world, step);
            self.found.transitions += 1;
            remember(self.properties, self.machine.model, &events, &mut next.memory);
            let next_cost = (cost.0 + u32::from(is_surprise(choice, step)), cost.1 + 1);
            self.look_at_events(&events, (world, &next), (next_cost, &|nodes| way_to(nodes, node, Some(choice))));
            if !events.iter().any(|event| matches!(event, Event::Failed { .. })) {
                self.enter(next, node, choice, next_cost);
            }
        }
    }

    /// Goes some ways at random, each to its end. Whatever was asked, nothing is proved by it.
    pub(super) fn walk(mut self, seed: u64, ways: usize) -> Found {
        self.found.complete = false;
        for way in 0..ways as u64 {
            if self.watch.cancel.is_cancelled() {
                break;
            }
            self.walk_once(&mut Chance::new(seed.wrapping_add(way)));
            self.found.sampled += 1;
        }
        self.found
    }

    fn walk_once(&mut self, chance: &mut Chance) {
        let mut world = self.machine.first(super::property::no_memory(self.properties));
        let mut way = Way::new();
        loop {
            self.found.states += 1;
            let cost = (u32::MAX, u32::try_from(way.len()).unwrap_or(u32::MAX));
            self.look((cost, &|_| way.clone()), &world);
            let steps = self.machine.steps(&world);
            let (faults, usual): (Vec<usize>, Vec<usize>) = (0..steps.len()).partition(|step| steps[*step].is_fault());
            if usual.is_empty() {
                self.end((cost, &|_| way.clone()), &world);
            }
            // One fault for about twenty steps, so that they come at all places.
            let among = if usual.is_empty() || chance.below(20) == 0 && !faults.is_empty() { &faults } else { &usual };
            if among.is_empty() || (usual.is_empty() && chance.below(2) == 0) {
                return;
            }
            let choice = among[chance.below(among.len())];
            way.push(u16::try_from(choice).expect("fewer steps than 2^16"));
            let Next { world: mut next, events } = self.machine.take(&world, steps[choice]);
            self.found.transitions += 1;
            remember(self.properties, self.machine.model, &events, &mut next.memory);
            self.look_at_events(&events, (&world, &next), (cost, &|_| way.clone()));
            if events.iter().any(|event| matches!(event, Event::Failed { .. })) {
                return;
            }
            world = next;
        }
    }

    /// Notes a way on which a property fails, or happens, unless a better one is known.
    fn note(&mut self, property: usize, (cost, way): Here<'_>) {
        if self.found.answers[property].way.as_ref().is_none_or(|(known, _)| cost < *known) {
            self.found.answers[property].way = Some((cost, way(&self.nodes)));
        }
    }

    /// Asks what is asked of every world.
    fn look(&mut self, here: Here<'_>, world: &World) {
        for property in 0..self.properties.len() {
            let happens = match &self.properties[property].kind {
                Kind::Always(holds) => !holds(&mut Look::new(&mut self.machine, world)),
                Kind::Sometimes(holds) if self.found.answers[property].way.is_none() => {
                    holds(&mut Look::new(&mut self.machine, world))
                }
                _ => continue,
            };
            self.found.answers[property].asked = true;
            if happens {
                self.note(property, here);
            }
        }
    }

    /// Asks what is asked of steps.
    fn look_at_events(&mut self, events: &[Event], (before, after): (&World, &World), here: Here<'_>) {
        for property in 0..self.properties.len() {
            for event in events {
                let fails = match (&self.properties[property].kind, event) {
                    (Kind::NoFailure, Event::Failed { .. }) => true,
                    (Kind::NeverOutput { topic, is_bad }, Event::Visible { log, offset })
                        if *self.machine.model.partitions[*log].topic == **topic =>
                    {
                        let record = record_at(after, *log, offset.get()).records();
                        record.peek().is_some_and(|record| is_bad(&record))
                    }
                    (Kind::Before { topic, holds }, Event::Processed { log, offset, .. })
                        if *self.machine.model.partitions[*log].topic == **topic =>
                    {
                        let record = record_at(before, *log, offset.get()).records();
                        let record = record.peek().expect("a batch of one record");
                        !holds(&record, &mut Look::new(&mut self.machine, before))
                    }
                    _ => continue,
                };
                self.found.answers[property].asked = true;
                if fails {
                    self.note(property, here);
                }
            }
        }
    }

    /// Asks what is asked of worlds in which nothing is left to do.
    fn end(&mut self, here: Here<'_>, world: &World) {
        let outcome = Outcome::of(self.machine.model, world);
        let mut order = 0;
        for property in 0..self.properties.len() {
            self.found.answers[property].asked |= !matches!(
                self.properties[property].kind,
                Kind::NeverOutput { .. } | Kind::Before { .. } | Kind::Sometimes(_)
            );
            match &self.properties[property].kind {
                Kind::AtQuiescence(holds) if !holds(&mut Look::new(&mut self.machine, world)) => {
                    self.note(property, here);
                }
                Kind::Confluent { topic, how } => {
                    let part = outcome.part(self.machine.model, topic, *how);
                    if *self.parts[property].get_or_insert(part) != part {
                        self.note(property, here);
                    }
                }
                Kind::Order(_) => {
                    let first = first_of(order, &world.memory);
                    order += 1;
                    let way = here.1(&self.nodes);
                    self.found.answers[property].orders.entry(first.byte()).or_insert(way);
                }
                _ => {}
            }
        }
        let known = self.ends.len();
        if let std::collections::hash_map::Entry::Vacant(entry) = self.ends.entry(outcome.fingerprint().0) {
            entry.insert(known);
            let way = here.1(&self.nodes);
            self.found.outcomes.push((outcome, way));
        }
    }
}

/// Whether a step is another one than a developer imagines. That a record is sent is none, nor that a task commits when
/// there is nothing else to do.
fn is_surprise(choice: u16, step: Step) -> bool {
    choice > 0 && !matches!(step, Step::Send { .. })
}

fn record_at(world: &World, log: usize, offset: u64) -> &std::sync::Arc<tidemill::record::Batch> {
    let place = usize::try_from(offset).expect("offsets of a small world");
    &world.logs[log].records()[place].batch
}

/// Which ends with faults are none without: a way to each.
pub(super) fn not_refining(
    guarantee: Guarantee,
    with_faults: &[(Outcome, Way)],
    without: &[(Outcome, Way)],
) -> Option<Way> {
    let refines = |outcome: &Outcome| match guarantee {
        Guarantee::ExactlyOnce => without.iter().any(|(other, _)| other.fingerprint() == outcome.fingerprint()),
        Guarantee::AtLeastOnce => without.iter().any(|(other, _)| outcome.has_all_of(other)),
    };
    with_faults.iter().find(|(outcome, _)| !refines(outcome)).map(|(_, way)| way.clone())
}
