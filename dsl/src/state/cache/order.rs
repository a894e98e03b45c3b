//! Numbers in an order of their own, each at most once: any of them leaves, or goes to the end, in constant time.
//!
//! A move is taken back by the link that it gave up; of several the newest goes first.

/// An order of numbers that are small enough to be places in a vector.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By number; `None` for those that are not in the order.
    links: Vec<Option<Link>>,
    first: Option<u32>,
    last: Option<u32>,
}

/// Where a number stands in an order: between which others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    before: Option<u32>,
    after: Option<u32>,
}

impl Order {
    /// The number that has been in the order longest without going to its end.
    pub(super) fn first(&self) -> Option<u32> {
        self.first
    }

    /// Whether a number is in the order.
    pub(super) fn contains(&self, number: u32) -> bool {
        self.links.get(number as usize).is_some_and(Option::is_some)
    }

    /// Puts a number at the end, whether it was in the order or not. Gives where it was.
    pub(super) fn move_to_end(&mut self, number: u32) -> Option<Link> {
        let was = self.remove(number);
        let place = number as usize;
        if place >= self.links.len() {
            self.links.resize(place + 1, None);
        }
        self.insert(number, Link { before: self.last, after: None });
        was
    }

    /// Takes back that a number went to the end.
    pub(super) fn move_back(&mut self, number: u32, was: Option<Link>) {
        self.remove(number);
        if let Some(link) = was {
            self.insert(number, link);
        }
    }

    /// Takes a number out, if it is in the order. Gives where it was.
    pub(super) fn remove(&mut self, number: u32) -> Option<Link> {
        let link = self.links.get_mut(number as usize).and_then(Option::take)?;
        self.join(link.before, link.after, (link.after, link.before));
        Some(link)
    }

    fn insert(&mut self, number: u32, link: Link) {
        self.links[number as usize] = Some(link);
        self.join(link.before, link.after, (Some(number), Some(number)));
    }

    /// Tells the neighbours of a place who comes next to them now.
    fn join(&mut self, before: Option<u32>, after: Option<u32>, (first, last): (Option<u32>, Option<u32>)) {
        match before {
            Some(before) => self.link(before).after = first,
            None => self.first = first,
        }
        match after {
            Some(after) => self.link(after).before = last,
            None => self.last = last,
        }
    }

    /// The numbers from the first to the last.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let next = |number: &u32| self.links[*number as usize].and_then(|link| link.after);
        std::iter::successors(self.first, next)
    }

    fn link(&mut self, number: u32) -> &mut Link {
        self.links[number as usize].as_mut().expect("neighbours are in the order")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Order;

    proptest! {
        #[test]
        fn it_is_a_list_whose_items_leave_or_go_to_the_end(steps in prop::collection::vec((any::<bool>(), 0..8_u32), 0..100)) {
            let (mut order, mut list) = (Order::default(), Vec::new());
            for (stays, number) in steps {
                list.retain(|listed| *listed != number);
                if stays {
                    order.move_to_end(number);
                    list.push(number);
                } else {
                    order.remove(number);
                }
                prop_assert_eq!(order.first(), list.first().copied());
                prop_assert_eq!(order.contains(number), stays);
                prop_assert_eq!(order.iter().collect::<Vec<_>>(), list.clone());
            }
        }

        #[test]
        fn moves_are_taken_back_newest_first(
            first in prop::collection::vec(0..8_u32, 0..20),
            then in prop::collection::vec(0..8_u32, 0..20),
        ) {
            let mut order = Order::default();
            first.iter().for_each(|number| _ = order.move_to_end(*number));
            let before: Vec<u32> = order.iter().collect();
            let moves: Vec<_> = then.iter().map(|number| (*number, order.move_to_end(*number))).collect();
            moves.into_iter().rev().for_each(|(number, was)| order.move_back(number, was));
            prop_assert_eq!(order.iter().collect::<Vec<_>>(), before.clone());
            order.move_to_end(9);
            prop_assert_eq!(order.iter().collect::<Vec<_>>(), [before, vec![9]].concat());
        }
    }
}
