//! What becomes of old records in a topic of an application's own, on logs that this engine cleans itself.

use std::time::Duration;

use tidemill_dsl::topology::{ANSWERS_KEPT, TopicKind, TopicNeed};

use super::{Cleanup, TopicConfig, TopicSpec};

/// What is added to the time that the changelog of a window or versioned store keeps its records, as in Kafka Streams.
const ADDITIONAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The topic that is needed.
pub(super) fn spec_of(need: &TopicNeed) -> TopicSpec {
    TopicSpec { name: need.name.clone(), partitions: need.partitions, config: config_of(need.kind) }
}

fn config_of(kind: TopicKind) -> TopicConfig {
    let of = |cleanup| TopicConfig { cleanup, ..TopicConfig::default() };
    match kind {
        // What was processed is deleted by the application.
        TopicKind::Repartition => of(Cleanup::Delete),
        TopicKind::Answers => TopicConfig { retention: Some(ANSWERS_KEPT), ..of(Cleanup::Delete) },
        TopicKind::Changelog => of(Cleanup::Compact),
        // The row of a window has the time of its last record, which may be its very start, and the store counts from the
        // start of the youngest window: so the size of a window is added, which is never greater than the retention.
        TopicKind::WindowChangelog { retention } | TopicKind::DuplicatesChangelog { retention } => {
            let retention = Some(retention.saturating_add(retention.max(ADDITIONAL)));
            TopicConfig { retention, ..of(Cleanup::CompactAndDelete) }
        }
        TopicKind::VersionedChangelog { retention } => {
            TopicConfig { compaction_lag: retention.saturating_add(ADDITIONAL), ..of(Cleanup::Compact) }
        }
    }
}
