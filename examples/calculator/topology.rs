//! Commands are decided against the value that they are for, in one step, and the key of everything is the value's id: so the order
//! of what is asked of a value is the order in which it is done, on as many partitions as one likes.

use tidemill::Topic;
use tidemill::event_sourcing::Commands;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Topology, TopologyErrors};

use crate::model::{Calculation, Event};

pub(crate) const COMMANDS: Commands<Calculation> = Commands::of("commands");
pub(crate) const EVENTS: Topic<String, Event> = Topic::of("events");
pub(crate) const VALUES: Store<String, Calculation> = Store::of("values");

pub(crate) fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder.stream(&COMMANDS).event_sourced(&VALUES).named("calculate").events().to(&EVENTS);
    builder.build()
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::explorer::Explorer;

    use super::*;
    use crate::crashes;
    use crate::model::{Command, Operation};

    #[test]
    fn no_crash_applies_an_operation_twice() {
        let asked = [
            Command::CreateValue { value: 2.0 },
            Command::UpdateValue { operation: Operation::Add, value: 2.0 },
            Command::UpdateValue { operation: Operation::Multiply, value: 3.0 },
        ];
        let explorer = Explorer::new(&topology().unwrap()).input(&COMMANDS, asked.map(|command| ("two", command)));
        crashes::leave_no_trace("calculator", &explorer);
    }
}
