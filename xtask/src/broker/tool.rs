//! Runs Kafka's own tools against a broker.

use super::{Port, jars, java};

/// The tools that are asked for most: a short name, their class, and what they do.
const TOOLS: [(&str, &str, &str); 12] = [
    ("topics", "org.apache.kafka.tools.TopicCommand", "list, describe, create, alter and delete topics"),
    (
        "groups",
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "consumer groups: members, offsets, reset",
    ),
    ("streams-groups", "org.apache.kafka.tools.streams.StreamsGroupCommand", "groups of the streams protocol"),
    ("reset", "org.apache.kafka.tools.StreamsResetter", "what Kafka Streams has for resetting an application"),
    ("offsets", "org.apache.kafka.tools.GetOffsetShell", "first and last offsets of topics"),
    ("consume", "org.apache.kafka.tools.consumer.ConsoleConsumer", "print records"),
    ("produce", "org.apache.kafka.tools.ConsoleProducer", "write records, from standard input"),
    ("records", "org.apache.kafka.tools.DeleteRecordsCommand", "delete the first records of partitions"),
    ("transactions", "org.apache.kafka.tools.TransactionsCommand", "list, describe and abort transactions"),
    ("configs", "kafka.admin.ConfigCommand", "settings of topics, brokers and groups"),
    ("acls", "org.apache.kafka.tools.AclCommand", "who may do what"),
    ("features", "org.apache.kafka.tools.FeatureCommand", "versions of the broker's protocols"),
];

/// The short names, a line each.
pub(super) fn names() -> String {
    let head = "\
cargo xtask broker tool [--port N] NAME ARGUMENTS..

The address of the broker is added, the arguments are the tool's own: `--help` behind a NAME says
which. A NAME with a dot is the class of any other tool.

";
    let rows: String = TOOLS.iter().map(|(name, _, what)| format!("  {name:<16}{what}\n")).collect();
    format!("{head}{rows}")
}

/// Runs a tool to its end and says whether it succeeded; its output is this program's.
pub(super) fn run(port: Port, words: &[String]) -> Result<bool, String> {
    let (name, arguments) = words.split_first().ok_or("name a tool")?;
    let class = class(name)?;
    let mut command = java::java(&jars::provide()?, "256m");
    command.arg(class).args(with_address(port, arguments)).stdin(std::process::Stdio::inherit());
    let status =
        command.status().map_err(|error| format!("cannot run `java`: {error}; see that it works by itself"))?;
    Ok(status.success())
}

/// The arguments behind the broker's address, unless they have one or ask for none. Before them, because tools that have commands
/// of their own understand it there only.
fn with_address(port: Port, arguments: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    if !arguments.iter().any(|word| ["--bootstrap-server", "--help", "--version"].contains(&&**word)) {
        all.extend(["--bootstrap-server".to_owned(), port.broker().to_string()]);
    }
    all.extend_from_slice(arguments);
    all
}

fn class(name: &str) -> Result<&str, String> {
    if name.contains('.') {
        return Ok(name);
    }
    let known = TOOLS.iter().find(|(short, ..)| *short == name).map(|(_, class, _)| *class);
    known.ok_or_else(|| format!("there is no tool `{name}`: `cargo xtask broker tool` names those that there are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_known_by_a_short_name_or_by_their_class() {
        assert_eq!(class("topics"), Ok("org.apache.kafka.tools.TopicCommand"));
        assert_eq!(class("kafka.tools.StorageTool"), Ok("kafka.tools.StorageTool"));
        assert!(class("topic").unwrap_err().contains("`topic`"));
        assert!(names().contains("\n  topics  "));
    }

    #[test]
    fn the_address_stands_before_a_tools_own_commands() {
        let port: Port = "19092".parse().unwrap();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(with_address(port, &words("list")), words("--bootstrap-server 127.0.0.1:19092 list"));
        assert_eq!(with_address(port, &words("--help")), words("--help"));
        assert_eq!(with_address(port, &words("--bootstrap-server b:1")), words("--bootstrap-server b:1"));
    }
}
