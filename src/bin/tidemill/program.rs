//! `plan` and `describe`: what a program says of its topology.
//!
//! Rule: the program is asked, because a topology exists nowhere else; one that does not answer is stopped.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;
use tidemill::log::Log;
use tidemill::plan::QUESTION;

use crate::failure::Failure;
use crate::output::Lines;
use crate::{folder, time};

const ASKED: &str = "\
The program is run with the variable TIDEMILL_ASKS set, and answers where it would start its application (`AppBuilder::start`), which \
does not begin then. What a program does before that, it does: one that does much calls `tidemill::plan::Planning::answer` first. One that \
does not answer is stopped after `--wait`, so never ask a program that is no tidemill application.";

/// How long a program that was stopped is listened to; what it has started itself may hold its output open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The program to ask.
#[derive(Debug, Args)]
struct Program {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    command: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// The text that Kafka Streams prints for the same topology
    Text,
    /// Graphviz
    Dot,
    /// Mermaid, which many Markdown viewers draw
    Mermaid,
    /// All of it, and the plan, as the program says it
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{ASKED}\n
Examples:
  tidemill describe ./target/release/bank
  tidemill describe --as dot ./target/release/bank | dot -Tsvg > bank.svg
  tidemill describe --as mermaid cargo run --release --bin bank"))]
pub(crate) struct Describe {
    /// How it is shown
    #[arg(long = "as", value_enum, value_name = "FORM", default_value = "text")]
    form: Form,

    /// How long the program may take to answer, such as 30s
    #[arg(long, value_name = "TIME", value_parser = time::duration, default_value = "60s")]
    wait: Duration,

    #[command(flatten)]
    program: Program,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{ASKED}\n
The topics that it reads and writes, those that a start creates, and what a Kafka cluster must allow it, as arguments of Kafka's own \
`kafka-acls.sh --add --allow-principal User:..`. How many partitions there are decides how many the application's own topics get, so say it \
of each topic that it reads: by `--topic`, or by a folder that has them.

Examples:
  tidemill plan --topic operations=6 ./target/release/bank
  tidemill plan --folder ./bank-data ./target/release/bank
  tidemill plan --topic operations=6 --json ./target/release/bank | jq .creates"))]
pub(crate) struct Plan {
    /// A topic that there is, or will be, and its number of partitions, may be given several times
    #[arg(long = "topic", value_name = "NAME=N", value_parser = topic)]
    topics: Vec<(String, u32)>,

    /// Take the topics of this folder
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// How long the program may take to answer, such as 30s
    #[arg(long, value_name = "TIME", value_parser = time::duration, default_value = "60s")]
    wait: Duration,

    #[command(flatten)]
    program: Program,
}

fn topic(text: &str) -> Result<(String, u32), String> {
    let pair = text.split_once('=').and_then(|(name, count)| Some((name, count.parse().ok().filter(|n| *n > 0)?)));
    pair.map(|(name, count)| (name.to_owned(), count)).ok_or_else(|| "write `orders=6`".to_owned())
}

impl Describe {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let answer = self.program.ask("", self.wait)?;
        let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        print(&match self.form {
            Form::Text => text("topology"),
            Form::Dot => text("dot"),
            Form::Mermaid => text("mermaid"),
            Form::Json => answer.to_string(),
        })
    }
}

impl Plan {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut topics: Vec<(String, u32)> = Vec::new();
        if let Some(folder) = &self.folder {
            let specs = folder::read(folder)?.topics()?;
            topics.extend(specs.into_iter().map(|spec| (spec.name.to_string(), spec.partitions)));
        }
        topics.extend(self.topics);
        let question: Vec<String> = topics.iter().map(|(name, count)| format!("{name}={count}")).collect();
        let answer = self.program.ask(&question.join(","), self.wait)?;
        let plan = &answer["plan"];
        if let Some(error) = plan["error"].as_str() {
            return Err(Failure::new(format!("{error}; say how many partitions topics have with `--topic NAME=N`")));
        }
        print(&if self.json { plan.to_string() } else { plan["text"].as_str().unwrap_or_default().to_owned() })
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = Lines::new();
    text.lines().try_for_each(|line| out.line(line))?;
    out.flush()
}

impl Program {
    /// Runs the program until it has answered.
    fn ask(&self, question: &str, wait: Duration) -> Result<Value, Failure> {
        let (program, arguments) = self.command.split_first().expect("clap asks for one");
        let mut command = Command::new(program);
        command.args(arguments).env(QUESTION, question);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = command.spawn();
        let mut child = spawned.map_err(|cause| {
            let next = "name the executable of an application, with its path, such as ./target/release/bank";
            Failure::new(format!("cannot run `{program}`: {cause}; {next}"))
        })?;
        let printed = child.stdout.take().expect("it is piped");
        let complains = child.stderr.take().expect("it is piped");
        let (sender, answers) = mpsc::channel();
        // Both end with the program, which is stopped below.
        thread::spawn(move || sender.send(answer_in(printed)));
        let (sender, complaints) = mpsc::channel();
        thread::spawn(move || sender.send(read_all(complains)));
        let answer = answers.recv_timeout(wait);
        stop(&mut child);
        let silence = match answer {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => "ended without an answer".to_owned(),
            Err(_) => format!("did not answer within {wait:?} and was stopped"),
        };
        // It may say why. Of a program that has answered nobody wants to know that it did no more.
        eprint!("{}", complaints.recv_timeout(LAST_WORDS).unwrap_or_default());
        Err(silent(program, &silence))
    }
}

fn read_all(mut complains: impl Read) -> String {
    let mut text = Vec::new();
    // What came before an error is shown too.
    let _ = complains.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn silent(program: &str, what: &str) -> Failure {
    Failure::new(format!(
        "`{program}` {what}: an application answers where it starts (`AppBuilder::start`); one that does much before that, or is \
        asked for, prints `tidemill::plan::Planning::of(\"..\").answer(&topology)` before anything else"
    ))
}

/// The first line that is an answer; whatever else a program prints is passed over.
fn answer_in(printed: impl Read) -> Option<Value> {
    let lines = BufReader::new(printed).lines().map_while(Result::ok);
    let mut answers = lines.filter_map(|line| {
        let json = line.find(r#"{"application""#).map(|at| &line[at..])?;
        serde_json::from_str::<Value>(json).ok().filter(|answer| answer["tidemill"] == 1)
    });
    answers.next()
}

/// It may have ended already, which is fine.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
