//! One real Apache Kafka broker on this machine: KRaft, one node, without Docker.
//!
//! Rule: a broker is its port on 127.0.0.1, and everything that is known of it lies in the folder of that port. So every call
//! finds what an earlier one left, whoever made it, and a broker outlives the call that started it.

mod address;
mod arguments;
mod compose;
mod folder;
mod jars;
mod java;
mod launch;
mod list;
mod probe;
mod process;
mod properties;
mod stop;
mod tool;
mod waiting;

pub(crate) use address::Port;
pub(crate) use arguments::{Asked, read};
pub(crate) use folder::home;
pub(crate) use java::has_java;
pub(crate) use launch::{Launch, start_anywhere};
pub(crate) use stop::{End, stop};

/// Does what was asked, and says whether it succeeded; an error says what to do next.
pub(crate) fn run(asked: &Asked) -> Result<bool, String> {
    match asked {
        Asked::Help => print!("{}", arguments::HELP),
        Asked::Start(port, launch) => println!("{}", launch::start(*port, launch)?),
        Asked::StartAnywhere(launch) => println!("{}", launch::start_anywhere(launch)?.broker()),
        Asked::Resume(port, launch) => println!("{}", launch::resume(*port, launch)?),
        Asked::Stop(port, end) => stop::stop(*port, *end)?,
        Asked::List => print!("{}", list::list()),
        Asked::Tools => print!("{}", tool::names()),
        Asked::Tool(port, words) => return tool::run(*port, words),
    }
    Ok(true)
}
