//! Which topics are an application's own, by their names.

/// How the names of an application's own topics end.
const ENDS: [&str; 6] = [
    "-changelog",
    "-repartition",
    "-answers",
    "-subscription-registration-topic",
    "-subscription-response-topic",
    "-tidemill-instances",
];
/// What the names of topics hold that belong to foreign-key joins without a name; a number and `-topic` follow.
const NUMBERED: [&str; 2] = ["-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-", "-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-"];

/// Whether a topic is one that `application` made for itself. Of several applications whose ids it begins with, it belongs to the
/// one with the longest.
pub(super) fn owns(application: &str, others: &[String], topic: &str) -> bool {
    let begins = |id: &str| topic.strip_prefix(id).is_some_and(|rest| rest.starts_with('-'));
    let longer = |other: &String| other.len() > application.len() && begins(other);
    begins(application) && is_internal(topic) && !others.iter().any(longer)
}

fn is_internal(topic: &str) -> bool {
    ENDS.iter().any(|end| topic.ends_with(end)) || NUMBERED.iter().any(|middle| is_numbered(topic, middle))
}

fn is_numbered(topic: &str, middle: &str) -> bool {
    let number = topic.split_once(middle).and_then(|(_, rest)| rest.strip_suffix("-topic"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_owned_by_prefix_and_ending() {
        for topic in [
            "app-counts-changelog",
            "app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition",
            "app-fk-subscription-registration-topic",
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000006-topic",
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000014-topic",
        ] {
            assert!(owns("app", &[], topic), "{topic}");
        }
        for topic in [
            "orders",
            "app-orders",
            "apps-counts-changelog",
            "app",
            "app-changelog-orders",
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE--topic",
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-1x-topic",
            "-counts-changelog",
        ] {
            assert!(!owns("app", &[], topic), "{topic}");
        }
    }

    #[test]
    fn the_longest_id_has_the_topic() {
        let ids = ["bank".to_owned(), "bank-eu".to_owned()];
        assert!(!owns("bank", &ids, "bank-eu-counts-changelog"));
        assert!(owns("bank-eu", &ids, "bank-eu-counts-changelog"));
        assert!(owns("bank", &ids, "bank-europe-changelog"));
    }
}
