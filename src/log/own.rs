//! What becomes of old records in a topic of an application's own, on logs that this engine cleans itself.
//!
//! Rule: what the program sets itself counts, as far as these logs know it: the other names are for brokers.

use std::time::Duration;

use tidemill_dsl::topology::{ANSWERS_KEPT, TopicKind, TopicNeed};

use super::{Cleanup, LogError, LogErrorKind, TopicConfig, TopicSpec};

/// What is added to the time that the changelog of a window or versioned store keeps its records, as in Kafka Streams.
const ADDITIONAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The topic that is needed.
pub(super) fn spec_of(need: &TopicNeed) -> Result<TopicSpec, LogError> {
    let set = |config, (name, value): (&String, &String)| {
        set(config, name, value).ok_or_else(|| {
            let wrong = format!("cannot create topic `{}`: `{name}` cannot be `{value}`", need.name);
            LogError::new(LogErrorKind::Invalid, format!("{wrong}; take what Kafka takes for a topic"))
        })
    };
    let config = need.settings.iter().try_fold(config_of(need.kind), set)?;
    Ok(TopicSpec { name: need.name.clone(), partitions: need.partitions, config })
}

/// With one thing as the program sets it; `None` where that cannot be.
fn set(config: TopicConfig, name: &str, value: &str) -> Option<TopicConfig> {
    let number = || value.parse::<u64>().ok();
    // In Kafka -1 is without limit.
    let limit = || if value == "-1" { Some(None) } else { number().map(Some) };
    Some(match name {
        "cleanup.policy" => TopicConfig { cleanup: cleanup(value)?, ..config },
        "retention.ms" => TopicConfig { retention: limit()?.map(Duration::from_millis), ..config },
        "retention.bytes" => TopicConfig { retention_bytes: limit()?, ..config },
        "delete.retention.ms" => TopicConfig { tombstones: Duration::from_millis(number()?), ..config },
        "min.compaction.lag.ms" => TopicConfig { compaction_lag: Duration::from_millis(number()?), ..config },
        _ => config,
    })
}

fn cleanup(value: &str) -> Option<Cleanup> {
    let mut policies: Vec<&str> = value.split(',').map(str::trim).collect();
    policies.sort_unstable();
    match policies[..] {
        ["delete"] => Some(Cleanup::Delete),
        ["compact"] => Some(Cleanup::Compact),
        ["compact", "delete"] => Some(Cleanup::CompactAndDelete),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn need(settings: &[(&str, &str)]) -> TopicNeed {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TopicNeed { name: "app-counts-changelog".into(), partitions: 2, kind: TopicKind::Changelog, settings }
    }

    #[test]
    fn what_the_program_sets_counts() {
        let settings = [
            ("cleanup.policy", "delete, compact"),
            ("delete.retention.ms", "5000"),
            ("min.compaction.lag.ms", "7000"),
            ("min.insync.replicas", "2"),
            ("retention.bytes", "-1"),
            ("retention.ms", "9000"),
        ];
        let expected = TopicConfig {
            cleanup: Cleanup::CompactAndDelete,
            retention: Some(Duration::from_secs(9)),
            retention_bytes: None,
            tombstones: Duration::from_secs(5),
            compaction_lag: Duration::from_secs(7),
        };
        assert_eq!(spec_of(&need(&settings)).unwrap().config, expected);
        assert_eq!(spec_of(&need(&[])).unwrap().config, config_of(TopicKind::Changelog));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (name, value) in [("retention.ms", "a week"), ("cleanup.policy", "shrink"), ("delete.retention.ms", "-1")] {
            let error = spec_of(&need(&[(name, value)])).unwrap_err();
            assert_eq!(error.kind(), LogErrorKind::Invalid);
            let expected = format!("cannot create topic `app-counts-changelog`: `{name}` cannot be `{value}`");
            assert!(error.to_string().contains(&expected), "{error}");
        }
    }
}
