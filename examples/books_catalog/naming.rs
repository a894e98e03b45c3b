//! What topics are called, and who may use them: `{service}-{name}-{kind}`.
//!
//! Rule: only its owner writes a topic, and reads its own commands; events and changelogs are for everybody to read.

use tidemill::topology::Topology;

use crate::web::failing::Failure;

const COMMANDS: &str = "commands";
const KINDS: [&str; 3] = [COMMANDS, "events", "changelog"];

/// A topic's name, taken apart.
struct Name<'n> {
    is_own: bool,
    kind: &'n str,
}

impl<'n> Name<'n> {
    /// `None` for a name that is none of these.
    fn of(topic: &'n str, service: &str) -> Option<Name<'n>> {
        let (rest, kind) = topic.rsplit_once('-')?;
        let is_own = rest.strip_prefix(service).is_some_and(|name| name.starts_with('-'));
        (KINDS.contains(&kind) && rest.contains('-')).then_some(Name { is_own, kind })
    }
}

/// Refuses a topology that writes what another service owns, or reads the commands of another one.
pub(crate) fn check(service: &str, topology: &Topology) -> Result<(), Failure> {
    let wrong = |topic: &str, writes: bool| match Name::of(topic, service) {
        None => Some(format!("`{topic}` is not called `{{service}}-{{name}}-{{kind}}` with a kind of {KINDS:?}")),
        Some(name) if name.is_own => None,
        Some(_) if writes => Some(format!("`{topic}` belongs to another service, so `{service}` must not write it")),
        Some(name) if name.kind == COMMANDS => {
            Some(format!("`{topic}` are commands of another service, so `{service}` must not read them"))
        }
        Some(_) => None,
    };
    let external = |topics: Vec<&tidemill::topology::TopicRef>| -> Vec<String> {
        let names = topics.into_iter().filter(|topic| matches!(topic, tidemill::topology::TopicRef::External(_)));
        names.map(|topic| topic.name().to_string()).collect()
    };
    let writes = external(topology.sink_topics()).into_iter().filter_map(|topic| wrong(&topic, true));
    let reads = external(topology.source_topics()).into_iter().filter_map(|topic| wrong(&topic, false));
    let all: Vec<String> = writes.chain(reads).collect();
    if all.is_empty() { Ok(()) } else { Err(all.join("; ").into()) }
}

#[cfg(test)]
mod tests {
    use tidemill::Topic;
    use tidemill::stream::StreamsBuilder;

    use super::*;

    fn copies(from: &'static str, to: &'static str) -> Topology {
        let builder = StreamsBuilder::new();
        builder.stream(&Topic::<String, String>::of(from)).to(&Topic::<String, String>::of(to));
        builder.build().unwrap()
    }

    #[test]
    fn everybody_reads_events_and_only_their_owner_writes_them() {
        check("catalog", &copies("shop-orders-events", "catalog-sales-events")).unwrap();
        let written = check("catalog", &copies("catalog-books-events", "shop-orders-events")).unwrap_err().to_string();
        assert!(written.contains("shop-orders-events") && written.contains("must not write"), "{written}");
    }

    #[test]
    fn only_their_owner_reads_commands() {
        check("catalog", &copies("catalog-books-commands", "catalog-books-events")).unwrap();
        let read = check("catalog", &copies("catalogs-books-commands", "catalog-x-events")).unwrap_err().to_string();
        assert!(read.contains("catalogs-books-commands") && read.contains("must not read"), "{read}");
    }

    #[test]
    fn a_name_says_what_it_is() {
        let unnamed = check("catalog", &copies("books", "catalog-books-events")).unwrap_err().to_string();
        assert!(unnamed.contains("`books` is not called"), "{unnamed}");
    }

    #[test]
    fn the_catalog_uses_what_is_its_own() {
        check(crate::topology::CATALOG, &crate::topology::topology().unwrap()).unwrap();
    }
}
