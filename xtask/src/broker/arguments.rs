//! What `cargo xtask broker` is asked for.

use lexopt::{Arg, Parser, ValueExt};

use super::{End, Launch, Port};

pub(crate) const HELP: &str = "\
A real Apache Kafka broker on this machine, for tests and for trying things out.

  cargo xtask broker start     start one with nothing on it; prints its address once it answers
  cargo xtask broker stop      stop it in peace (SIGTERM); its data stays
  cargo xtask broker kill      end it at once (SIGKILL), as a crash would; its data stays
  cargo xtask broker resume    start it again on the data that `stop` or `kill` left
  cargo xtask broker list      the brokers of this machine, and what they do
  cargo xtask broker tool NAME ARGUMENTS..
                               run one of Kafka's own tools on it; without NAME: the names

  --port N             which broker: its port on 127.0.0.1, 19092 if not given; its controller
                       takes the port after that; start: `any` for one that is free
  --set KEY=VALUE      start, resume: a setting of the broker; may be given several times
  --heap SIZE          start, resume: its memory, as Java writes it; 512m if not given
  --remove             stop, kill: remove its data as well

  cargo xtask broker start --set message.max.bytes=2000000
  cargo xtask broker tool topics --create --topic orders --partitions 4
  cargo xtask broker tool groups --describe --all-groups
  KAFKA_BROKERS=127.0.0.1:19092 cargo test --release --features kafka --test kafka

The first start fetches Kafka with Maven, 55 MB, into the cache folder, where each broker has
its data and its log too: `list` says where. It needs Java 17 or later. With Docker there is
another way: docker compose -f xtask/broker/compose.yaml up --wait
";

/// What to do with which broker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Help,
    Start(Port, Launch),
    /// On a port that is free.
    StartAnywhere(Launch),
    Resume(Port, Launch),
    Stop(Port, End),
    List,
    /// Names the tools.
    Tools,
    /// The name of a tool and its arguments.
    Tool(Port, Vec<String>),
}

/// Reads what stands behind `broker`.
pub(crate) fn read(parser: &mut Parser) -> Result<Asked, lexopt::Error> {
    let (mut command, mut port, mut launch, mut remove) = (None, Some(Port::USUAL), None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Asked::Help),
            Arg::Long("port") => port = port_or_any(&parser.value()?.string()?)?,
            Arg::Long("set") => {
                launch.get_or_insert_with(Launch::default).settings.push(setting(&parser.value()?.string()?)?);
            }
            Arg::Long("heap") => launch.get_or_insert_with(Launch::default).heap = parser.value()?.string()?,
            Arg::Long("remove") => remove = true,
            // What follows is the tool's own.
            Arg::Value(name) if command.as_deref() == Some("tool") => {
                let words = std::iter::once(name).chain(parser.raw_args()?);
                return Ok(Asked::Tool(one(port)?, words.map(ValueExt::string).collect::<Result<_, _>>()?));
            }
            Arg::Value(word) if command.is_none() => command = Some(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let Some(command) = command else { return Ok(Asked::Help) };
    if launch.is_some() && !["start", "resume"].contains(&&*command) {
        return Err("`--set` and `--heap` belong to `start` and `resume`".into());
    }
    if remove && !["stop", "kill"].contains(&&*command) {
        return Err("`--remove` belongs to `stop` and `kill`".into());
    }
    match &*command {
        "help" => Ok(Asked::Help),
        "start" => Ok(match port {
            Some(port) => Asked::Start(port, launch.unwrap_or_default()),
            None => Asked::StartAnywhere(launch.unwrap_or_default()),
        }),
        "resume" => Ok(Asked::Resume(one(port)?, launch.unwrap_or_default())),
        "stop" => Ok(Asked::Stop(one(port)?, End { at_once: false, remove })),
        "kill" => Ok(Asked::Stop(one(port)?, End { at_once: true, remove })),
        "list" => Ok(Asked::List),
        "tool" => Ok(Asked::Tools),
        other => Err(format!("a broker does not know `{other}`, `cargo xtask broker` says what it knows").into()),
    }
}

fn port_or_any(text: &str) -> Result<Option<Port>, lexopt::Error> {
    if text == "any" { Ok(None) } else { Ok(Some(text.parse::<Port>()?)) }
}

/// The port of a broker that is there already.
fn one(port: Option<Port>) -> Result<Port, lexopt::Error> {
    port.ok_or_else(|| "`--port any` belongs to `start`: name the port".into())
}

fn setting(text: &str) -> Result<(String, String), lexopt::Error> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().into(), value.into())),
        _ => Err(format!("`{text}` is no setting: write `key=value`").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn asked(line: &str) -> Result<Asked, String> {
        let mut parser = Parser::from_args(line.split_whitespace().map(OsString::from));
        read(&mut parser).map_err(|error| error.to_string())
    }

    fn port(number: &str) -> Port {
        number.parse().unwrap()
    }

    #[test]
    fn nothing_and_help_give_help() {
        for line in ["", "help", "--help", "start --help"] {
            assert_eq!(asked(line), Ok(Asked::Help), "{line}");
        }
    }

    #[test]
    fn a_broker_is_named_by_its_port() {
        assert_eq!(asked("start --port any"), Ok(Asked::StartAnywhere(Launch::default())));
        assert_eq!(asked("start"), Ok(Asked::Start(Port::USUAL, Launch::default())));
        assert_eq!(asked("resume --port 7000"), Ok(Asked::Resume(port("7000"), Launch::default())));
        assert_eq!(asked("--port 7000 kill"), Ok(Asked::Stop(port("7000"), End { at_once: true, remove: false })));
        assert_eq!(asked("stop --remove"), Ok(Asked::Stop(Port::USUAL, End { at_once: false, remove: true })));
    }

    #[test]
    fn settings_are_kept_in_their_order() {
        let settings = [("a.b", "1"), ("c", "x=y")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let launch = Launch { settings: settings.into(), heap: "1g".into(), apart: true };
        assert_eq!(asked("start --set a.b=1 --heap 1g --set c=x=y"), Ok(Asked::Start(Port::USUAL, launch)));
    }

    #[test]
    fn what_follows_a_tool_is_its_own() {
        let words = ["topics", "--list", "--port", "x", "--help"].map(String::from).to_vec();
        assert_eq!(asked("tool --port 7000 topics --list --port x --help"), Ok(Asked::Tool(port("7000"), words)));
        assert_eq!(asked("tool"), Ok(Asked::Tools));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, word) in [
            ("begin", "`begin`"),
            ("start --port x", "`x`"),
            ("start --set x", "key=value"),
            ("stop --port any", "`--port any`"),
            ("stop --set a=b", "`--set`"),
            ("start --remove", "`--remove`"),
            ("start 19092", "19092"),
        ] {
            let reason = asked(line).expect_err(line);
            assert!(reason.contains(word), "{reason}");
        }
    }
}
