//! Where an application begins to read a partition of which it has no place: it is new there, or the place is gone.

use std::time::Duration;

/// Where to begin in a partition when no commit says where, or when the records behind the committed place were removed
/// before they were processed.
///
/// Kafka Streams' `auto.offset.reset`. Set it for all sources in [`TaskSettings::offset_reset`](super::TaskSettings), for one
/// with [`Source::reset`](super::Source::reset) or [`Consumed::reset`](crate::stream::Consumed::reset). The application's own
/// topics and those of global stores are always read from their first record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OffsetReset {
    /// At the first record that is kept.
    #[default]
    Earliest,
    /// Behind the last record: those that are there already are not processed.
    Latest,
    /// At the first record whose time is at most so long ago; without one, behind the last (KIP-1106). Finding it reads the
    /// partition from its start.
    Since(Duration),
    /// A new application begins with the first record that is kept. One whose next record was removed does not start, or
    /// stops: nothing is ever skipped without somebody's decision. (Kafka Streams' `none` refuses a new application too.)
    Fail,
}
