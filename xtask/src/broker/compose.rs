//! Holds compose.yaml to what `cargo xtask broker start` starts: the same Kafka, set to the same.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::broker::{jars, properties};

    const COMPOSE: &str = include_str!("../../broker/compose.yaml");

    /// Kafka's image takes `a.b` from `KAFKA_A_B`.
    fn variable(key: &str) -> String {
        format!("KAFKA_{}", key.replace('.', "_").to_uppercase())
    }

    #[test]
    fn the_container_runs_the_same_kafka() {
        assert!(COMPOSE.contains(&format!("image: apache/kafka:{}\n", jars::version())));
    }

    #[test]
    fn the_container_is_set_as_the_process_is() {
        let variables = COMPOSE.lines().filter_map(|line| line.trim().split_once(": "));
        let variables: BTreeMap<&str, &str> = variables
            .map(|(name, value)| (name, value.trim_matches('"')))
            .filter(|(name, _)| name.starts_with("KAFKA_"))
            .collect();
        let lines = properties::COMMON.lines().filter(|line| !line.starts_with('#'));
        let settings: Vec<_> = lines.filter_map(|line| line.split_once('=')).collect();
        assert!(settings.len() > 10);
        for (key, value) in settings {
            assert_eq!(variables.get(&*variable(key)), Some(&value), "`{key}` in compose.yaml");
        }
    }
}
