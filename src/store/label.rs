//! What a store on disk says of itself: its shape, and which topic its rows came from.
//!
//! Rule: a store is opened with the shape that it was made with, and restored from the very topic that made its rows. A topic of
//! the same name that was made later is another one, however far it reaches.
//!
//! ```text
//! label v1   01 | 0, or 1 | topic's id u128 | shape      the id only behind a 1; big-endian; the shape is UTF-8
//! ```

use crate::log::TopicId;

const LAYOUT: u8 = 1;

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Kind and serdes in words, as [`StoreSpec::shape`](tidemill_dsl::state::StoreSpec::shape) gives them.
    pub shape: String,
    /// The topic that its rows are restored from, if there is one.
    pub topic: Option<TopicId>,
}

impl Label {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![LAYOUT, u8::from(self.topic.is_some())];
        bytes.extend(self.topic.map(|topic| topic.as_u128().to_be_bytes()).into_iter().flatten());
        bytes.extend_from_slice(self.shape.as_bytes());
        bytes
    }

    /// `None` for bytes in no known layout.
    pub(super) fn decode(bytes: &[u8]) -> Option<Label> {
        let (topic, shape) = match bytes {
            [LAYOUT, 0, shape @ ..] => (None, shape),
            [LAYOUT, 1, rest @ ..] => {
                let (id, shape) = rest.split_first_chunk()?;
                (Some(TopicId::new(u128::from_be_bytes(*id))), shape)
            }
            _ => return None,
        };
        Some(Label { shape: std::str::from_utf8(shape).ok()?.to_owned(), topic })
    }
}

#[cfg(feature = "fuzzing")]
impl Label {
    /// Any bytes are a label that comes back, or none.
    pub(crate) fn check(bytes: &[u8]) {
        if let Some(label) = Label::decode(bytes) {
            assert_eq!(Label::decode(&label.encode()), Some(label));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_comes_back_and_no_beginning_of_one_does() {
        for topic in [None, Some(TopicId::new(7)), Some(TopicId::new(u128::MAX))] {
            let label = Label { shape: "key-value string -> i64".into(), topic };
            assert_eq!(Label::decode(&label.encode()), Some(label));
        }
        assert_eq!(Label::decode(&[]), None);
        assert_eq!(Label::decode(&[2, 0]), None);
        assert_eq!(Label::decode(&[1, 1, 0, 0]), None);
        assert_eq!(Label::decode(&[1, 0, 0xff]), None);
    }
}
