//! Numbers in an order of their own, each at most once: any of them leaves, or goes to the end, in constant time.

/// An order of numbers that are small enough to be places in a vector.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By number; `None` for those that are not in the order.
    links: Vec<Option<Link>>,
    first: Option<u32>,
    last: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
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

    /// Puts a number at the end, whether it was in the order or not.
    pub(super) fn move_to_end(&mut self, number: u32) {
        if self.last == Some(number) {
            return;
        }
        self.remove(number);
        let place = number as usize;
        if place >= self.links.len() {
            self.links.resize(place + 1, None);
        }
        self.links[place] = Some(Link { before: self.last, after: None });
        match self.last.replace(number) {
            Some(before) => self.link(before).after = Some(number),
            None => self.first = Some(number),
        }
    }

    /// Takes a number out, if it is in the order.
    pub(super) fn remove(&mut self, number: u32) {
        let Some(Link { before, after }) = self.links.get_mut(number as usize).and_then(Option::take) else { return };
        match before {
            Some(before) => self.link(before).after = after,
            None => self.first = after,
        }
        match after {
            Some(after) => self.link(after).before = before,
            None => self.last = before,
        }
    }

    /// Where a number is: the number before it, if there is one; `None` when it is not in the order.
    pub(super) fn place(&self, number: u32) -> Option<Option<u32>> {
        self.links.get(number as usize)?.as_ref().map(|link| link.before)
    }

    /// Puts a number where it was when `place` was asked for. Everything that moved since is back already.
    pub(super) fn put_back(&mut self, number: u32, place: Option<Option<u32>>) {
        self.remove(number);
        let Some(before) = place else { return };
        let after = match before {
            Some(before) => self.link(before).after.replace(number),
            None => self.first.replace(number),
        };
        match after {
            Some(after) => self.link(after).before = Some(number),
            None => self.last = Some(number),
        }
        self.links[number as usize] = Some(Link { before, after });
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
        fn moves_that_are_taken_back_newest_first_leave_no_trace(
            steps in prop::collection::vec((any::<bool>(), 0..8_u32), 0..60),
            kept in 0..60_usize,
        ) {
            let (mut order, mut undo, mut before) = (Order::default(), Vec::new(), Vec::new());
            for (step, (stays, number)) in steps.into_iter().enumerate() {
                if step == kept {
                    undo.clear();
                    before = order.iter().collect();
                }
                undo.push((number, order.place(number)));
                if stays { order.move_to_end(number) } else { order.remove(number) }
            }
            let took_all = undo.len();
            for (number, place) in undo.into_iter().rev() {
                order.put_back(number, place);
            }
            // Without a step behind `kept` everything was taken back.
            prop_assert_eq!(order.iter().collect::<Vec<_>>(), before, "{} steps", took_all);
            let (mut back, mut number) = (Vec::new(), order.last);
            while let Some(here) = number {
                back.insert(0, here);
                number = order.links[here as usize].and_then(|link| link.before);
            }
            prop_assert_eq!(order.iter().collect::<Vec<_>>(), back);
        }

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
    }
}
